// A price service on NestJS: requests come and go through mess, with the MQTT transport that NestJS brings.
import "reflect-metadata";
import { Controller, Logger, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { EventPattern, MessagePattern, type MicroserviceOptions, Payload, Transport } from "@nestjs/microservices";
import { messOptions } from "./mess-options.ts";

const prices: Readonly<Record<string, number>> = { tea: 350, coffee: 420 };

@Controller()
class PriceController {
  readonly #log = new Logger("prices");

  /** Answered on `price/reply`: what NestJS's own client listens to. */
  @MessagePattern("price")
  price(@Payload() asked: { sku: string }): { sku: string; cents: number | null } {
    return { sku: asked.sku, cents: prices[asked.sku] ?? null };
  }

  /** The declared subscription `stock`: orders wait while no copy runs, and one of those that run gets each. */
  @EventPattern("$share/stock/orders/+")
  ordered(@Payload() order: { id: string; sku: string }): void {
    this.#log.log(`order ${order.id}: one ${order.sku} less`);
  }
}

@Module({ controllers: [PriceController] })
class PriceModule {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(PriceModule, {
  transport: Transport.MQTT,
  options: { ...messOptions(), subscribeOptions: { qos: 1 } },
});
app.enableShutdownHooks();
await app.listen();
console.log("listening");
