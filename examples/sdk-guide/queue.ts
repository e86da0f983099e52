// A work queue: each message goes to one consumer at a time, until one has acked it.
import { connect } from "@mess/client";
import { z } from "zod";

await using mess = await connect(process.env["MESS_URL"] ?? "mqtts://localhost:8883");
const Order = z.object({ id: z.number(), total: z.number() });
const orders = mess.topic("orders/{id}/created", Order);

const stop = new AbortController();
const billing = mess.queue("billing", { schema: Order, concurrency: 8 });
let billed = 0;
const working = billing.process(
  async (message, { signal }) => {
    if (message.value.total < 0) return message.reject("a negative total"); // a dead letter at once
    if (message.value.id === 2 && message.attempt === 1) throw new Error("ledger is down"); // nacked, tried again
    await bill(message.value, signal); // returns: acked
  },
  { signal: stop.signal },
);

for (const [id, total] of [
  [1, 10],
  [2, 20],
  [3, -1],
] as const) {
  await orders.publish({ id }, { id, total }, { key: String(id) });
}
while (billed < 2) await new Promise((resolve) => setTimeout(resolve, 20));

stop.abort(); // finishes what runs, gives back the rest
await working;
console.log("billed", billed); // billed 2

// By hand: at most `concurrency` messages are there unsettled.
await orders.publish({ id: 4 }, { id: 4, total: 40 });
for await (const message of mess.queue("billing", { schema: Order })) {
  if (message.attempt === 1) {
    await message.nack({ delay: "100ms", reason: "not yet" });
    continue;
  }
  console.log("order", message.value.id, "attempt", message.attempt); // order 4 attempt 2
  await message.ack();
  break;
}

async function bill(order: z.infer<typeof Order>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted(); // the lease was lost: somebody else has the message now
  billed += 1;
  console.log("bill", order.id); // bill 1, bill 2
}
