// A price service on NestJS: requests come and go through mess, with the MQTT transport that NestJS brings.
import "reflect-metadata";
import { Controller, Logger, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Ctx, EventPattern, MessagePattern, type MicroserviceOptions, MqttContext, Payload, Transport } from "@nestjs/microservices";
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

  /** One of all running copies gets each order: the group `stock` shares them. */
  @EventPattern("$share/stock/orders/+")
  ordered(@Payload() order: { sku: string }, @Ctx() context: MqttContext): void {
    this.#log.log(`${context.getTopic()}: one ${order.sku} less`);
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
