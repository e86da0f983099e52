// Asks the price service, and orders, from another NestJS program.
import "reflect-metadata";
import { ClientProxyFactory, MqttRecordBuilder, Transport } from "@nestjs/microservices";
import { firstValueFrom, timeout } from "rxjs";
import { messOptions } from "./mess-options.ts";

const [option, id = "1"] = process.argv.slice(2);
const client = ClientProxyFactory.create({ transport: Transport.MQTT, options: messOptions() });
try {
  if (option !== "--order-only") {
    console.log(await firstValueFrom(client.send("price", { sku: "tea" }).pipe(timeout(5_000))));
  }
  // Without a QoS NestJS publishes at 0, which promises nothing: an order asks for 1.
  const order = new MqttRecordBuilder({ id, sku: "tea" }).setQoS(1).build();
  await firstValueFrom(client.emit("orders/tea", order));
} finally {
  await client.close();
}
