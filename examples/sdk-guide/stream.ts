// Reading again what was published.
import { connect } from "@mess/client";

await using mess = await connect(process.env["MESS_URL"] ?? "mqtts://localhost:8883");
const orders = mess.topic("orders/{id}/shipped", { codec: "text" });
for (const id of [1, 2, 3]) await orders.publish({ id }, `parcel ${id}`);

let last = 0;
for await (const { topic, value, offset } of mess
  .stream<string>("orders/+/shipped", { codec: "text" })
  .read({ from: { time: "-2h" }, follow: false })) {
  console.log(topic, value); // orders/1/shipped parcel 1 …
  last = offset ?? last;
}

// From an offset on, and then what comes: the position survives lost connections.
await orders.publish({ id: 4 }, "parcel 4");
for await (const { value } of mess
  .stream<string>("orders/+/shipped", { codec: "text" })
  .read({ from: { offset: last + 1 } })) {
  console.log("then", value); // then parcel 4
  break;
}
