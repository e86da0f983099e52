import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, topic, unique } from "../support/suite.ts";

/** A server that wrote a little of everything and was killed; everything it wrote was acknowledged before. */
export async function killedServer(): Promise<Server> {
  const server = await Server.start();
  const name = topic();
  const reader = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: unique("c") });
  await reader.subscribe({ filter: name, qos: 2 });
  await reader.drop();
  const publisher = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: unique("c") });
  for (let index = 0; index < 60; index += 1) {
    await publisher.publish({
      topic: name,
      payload: `${index}`.padEnd(index * 20, "."),
      qos: 1 + (index % 2),
      retain: index % 10 === 0,
    });
  }
  publisher.send(build.publish({ topic: name, payload: "held", qos: 2, id: 999 }));
  await publisher.take({ name: "PUBREC", id: 999 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await server.kill();
  return server;
}
