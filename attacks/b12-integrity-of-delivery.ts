import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";
import { atEachDoor } from "./support/moves.ts";
import { Tap } from "./support/tap.ts";

export const b12 = attack({
  id: "B12",
  title: "Delivery: integrity of what is delivered",
  threat: "Somebody on the way, or the broker's own disk, changes a message, and the consumer takes it.",
  mitigation: "TLS on every connection.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("an amount changed on the way to the broker", (arena, door) => changedOnTheWay(arena, door, true)),
    atEachDoor("an amount changed on the way to the consumer", (arena, door) => changedOnTheWay(arena, door, false)),
  ],
});

/** Changes `100` to `999` where it sees it, and a byte of anything large where it sees nothing. */
async function changedOnTheWay(arena: Arena, door: Door, inbound: boolean): Promise<void> {
  let isOn = false;
  const change = (bytes: Buffer, fromClient: boolean): Buffer => {
    if (!isOn || fromClient !== inbound) return bytes;
    const changed = Buffer.from(bytes);
    const at = changed.indexOf("pay 100");
    if (at >= 0) changed.write("pay 999", at);
    else if (bytes.length > 60) changed[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    return changed;
  };
  const tap = await Tap.on(door.endpoint, change);
  try {
    const tapped = { ...door, endpoint: tap.endpoint };
    const owner = await arena.principal();
    const topic = owner.topic(unique("x"));
    const reader = await arena.connect(owner, {}, inbound ? door : tapped);
    reader.autoAck = true;
    await reader.subscribe({ filter: topic, qos: 1 });
    const sender = await arena.connect(owner, {}, inbound ? tapped : door);
    isOn = true;
    sender.publish({ topic, payload: `pay 100 ${"x".repeat(200)}`, qos: 1 }).catch(() => undefined);
    const got = await reader.message(1_500).catch(() => undefined);
    hold(
      got === undefined || got.payload.toString().startsWith("pay 100"),
      `the consumer reads ${got?.payload.toString().slice(0, 7)}`,
    );
  } finally {
    tap.close();
  }
}
