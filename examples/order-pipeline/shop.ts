// Publishes what happens to the orders of some customers; each publish resolves when it is on the broker's disk.
import { connectAsTold } from "../connect.ts";
import { OrderEvent, orderTopic } from "./order-event.ts";

await using mess = await connectAsTold();
const orders = mess.topic(orderTopic, OrderEvent);

for (const [customer, order, cents] of [
  ["anna", "a1", 350],
  ["bert", "b1", -5],
  ["carl", "c1", 420],
] as const) {
  const to = { customer, order };
  await orders.publish(to, { order, step: "created", cents });
  await orders.publish(to, { order, step: "paid" });
  const { offset } = await orders.publish(to, { order, step: "shipped" });
  console.log(`${customer}: three steps of ${order}, the last at offset ${offset}`);
}
