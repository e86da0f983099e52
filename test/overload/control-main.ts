/** The process of the control client. Talks to its parent by messages; ends with it. */
import { setPriority } from "node:os";
import { RawClient } from "../support/raw-client.ts";
import { ControlConnection } from "./control-connection.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlStart,
  type LedgerFigures,
  ledgerClientId,
  ledgerTopic,
} from "./control-protocol.ts";

/** The consumer has everything that will come when nothing came for so long. */
const silenceMs = 5_000;

let start: ControlStart | undefined;
let connection: ControlConnection | undefined;

try {
  setPriority(-15);
} catch {
  // only the superuser may; without it the figures hold some waiting of our own
}

process.on("disconnect", () => process.exit(0));
process.on("message", (request: ControlRequest) => {
  answer(request).then(
    (said) => process.send?.(said),
    (error: Error) => process.send?.({ about: "failed", reason: error.message } satisfies ControlAnswer),
  );
});

async function answer(request: ControlRequest): Promise<ControlAnswer> {
  if (request.verb === "start") {
    start = request.start;
    const consumer = await connectConsumer(start);
    await consumer.subscribe({ filter: ledgerTopic, qos: 1 });
    await consumer.drop();
    connection = new ControlConnection(start);
    await connection.begin();
    return { about: "started" };
  }
  if (start === undefined || connection === undefined) throw new Error("not started");
  if (request.verb === "phase") return { about: "phase", figures: connection.takeFigures() };
  if (request.verb === "stop") {
    await connection.stop();
    return { about: "stopped", acknowledged: connection.acknowledged.size };
  }
  return { about: "drained", ledger: await drain(start, connection.acknowledged) };
}

function connectConsumer({ endpoint, username, password }: ControlStart): Promise<RawClient> {
  const properties = { sessionExpiryInterval: 3_600 };
  return RawClient.connect(endpoint, { clientId: ledgerClientId, cleanStart: false, username, password, properties });
}

async function drain(from: ControlStart, acknowledged: ReadonlySet<number>): Promise<LedgerFigures> {
  const consumer = await connectConsumer(from);
  consumer.autoAck = true;
  const missing = new Set(acknowledged);
  while (missing.size > 0) {
    const message = await consumer.message(silenceMs).catch(() => undefined);
    if (message === undefined) break;
    missing.delete(Number(message.payload.toString()));
  }
  await consumer.drop();
  return { acknowledged: acknowledged.size, lost: [...missing] };
}
