import { breakCalls, strace } from "../test/support/break-calls.ts";
import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, CannotTry, hold } from "./support/attack.ts";

export const e10 = attack({
  id: "E10",
  title: "What a failed fsync means",
  threat: "The disk says that it could not keep something, and the broker acknowledges it all the same.",
  mitigation:
    "After a failed write or sync nothing is acknowledged any more in that process; it ends with 74, and recovery decides what is there.",
  ways: ["process", "disk"],
  steps: [{ name: "every sync fails, and publishes go on", run: failingSyncs }],
});

async function failingSyncs(outer: Arena): Promise<void> {
  if (strace === undefined) throw new CannotTry("strace is not installed");
  const arena = await outer.own();
  const owner = await arena.principal();
  const away = await arena.connect(owner, { ...arena.lasting(), clientId: unique("away") });
  await away.subscribe({ filter: owner.topic("x"), qos: 1 });
  await away.drop();
  const sender = await arena.connect(owner);
  await sender.publish({ topic: owner.topic("x"), payload: "before", qos: 1 });
  const tracer = await breakCalls(arena.broker.pid, "fsync,fdatasync,sync_file_range", "EIO");
  if (tracer === undefined) throw new CannotTry("this user may not trace a process");
  try {
    for (let id = 1; id <= 20 && !sender.isClosed; id += 1) {
      sender.send(
        build.publish({ version: sender.version, topic: owner.topic("x"), payload: "lost", qos: 1, id: 100 + id }),
      );
    }
    const puback = await sender
      .take(({ name, code }) => name === "PUBACK" && code < 0x80, 3_000)
      .catch(() => undefined);
    hold(puback === undefined, "it acknowledges what no sync has made durable");
  } finally {
    tracer.kill("SIGKILL");
  }
}
