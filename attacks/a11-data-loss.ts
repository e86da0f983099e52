import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold } from "./support/attack.ts";

const letters = 50;

export const a11 = attack({
  id: "A11",
  title: "Message storage: data loss",
  threat: "What was acknowledged is gone after a crash of the process or a loss of power.",
  mitigation:
    "An acknowledgement leaves after the `fdatasync` that covers its record; docs/durability.md is the contract.",
  ways: ["process"],
  steps: [{ name: `SIGKILL after ${letters} acknowledged publishes`, run: killAfterAcknowledgement }],
});

async function killAfterAcknowledgement(outer: Arena): Promise<void> {
  const arena = await outer.own();
  // nats-server of this age closes at QoS 2
  for (const qos of arena.broker.name === "nats" ? [1] : [1, 2]) {
    const owner = await arena.principal("tenant");
    const session = { ...arena.lasting(), clientId: unique("away") };
    const reader = await arena.connect(owner, session);
    await reader.subscribe({ filter: owner.topic("inbox"), qos });
    await reader.drop();
    const sender = await arena.connect(owner);
    for (let index = 0; index < letters; index += 1) {
      await sender.publish({ topic: owner.topic("inbox"), payload: String(index), qos });
    }
    await arena.broker.kill();
    await arena.broker.start();
    const back = await arena.connect(owner, session);
    back.autoAck = true;
    const got = new Set<string>();
    while (got.size < letters) {
      const message = await back.message(1_500).catch(() => undefined);
      if (message === undefined) break;
      got.add(message.payload.toString());
    }
    hold(got.size === letters, `${got.size} of ${letters} acknowledged messages of QoS ${qos} are there after SIGKILL`);
  }
}
