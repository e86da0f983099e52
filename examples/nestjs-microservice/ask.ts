// Asks the price service, and tells it of an order, from another NestJS program.
import "reflect-metadata";
import { ClientProxyFactory, Transport } from "@nestjs/microservices";
import { firstValueFrom, timeout } from "rxjs";
import { messOptions } from "./mess-options.ts";

const client = ClientProxyFactory.create({ transport: Transport.MQTT, options: messOptions() });
try {
  const answer = await firstValueFrom(client.send("price", { sku: "tea" }).pipe(timeout(5_000)));
  console.log(answer);
  await firstValueFrom(client.emit("orders/1", { sku: "tea" }));
} finally {
  await client.close();
}
