// Works the orders off: many customers at a time, the steps of one customer in order. Start as many of these as you like.
import { connectAsTold, untilStopped } from "../connect.ts";
import { OrderEvent } from "./order-event.ts";

await using mess = await connectAsTold();
const billing = mess.queue("billing", { schema: OrderEvent, concurrency: 8 });
console.log("billing");

await billing.process(
  async ({ value, key, attempt }) => {
    // Whatever is thrown is a failed attempt: tried again after a growing wait, and at the limit a dead letter.
    if (value.cents !== undefined && value.cents < 0) throw new Error(`${value.order}: a bill of ${value.cents} cents`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(`${key}: ${value.order} ${value.step}, attempt ${attempt}`);
  },
  { signal: untilStopped() },
);
