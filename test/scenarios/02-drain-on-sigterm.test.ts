// SIGTERM: 5.0 clients are told 0x8B, what was acknowledged is there after the next start, exit code 0.
import { afterAll, beforeAll, expect, it } from "vitest";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, topic, unique, will } from "../support/suite.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start();
}, 30_000);

afterAll(() => server.remove());

it("tells the clients, exits with 0 soon, and keeps what it acknowledged", async () => {
  const name = topic();
  const readerId = unique("c");
  const reader = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: readerId });
  await reader.subscribe({ filter: name, qos: 1 });
  await reader.disconnect();
  const idle = await RawClient.connect(server.mqtt, { clientId: unique("c"), will: will(name, "the will") });
  const old = await RawClient.connect(server.mqtt, { version: 4, clientId: unique("c") });
  const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  for (let id = 1; id <= 90; id += 1) publisher.send(build.publish({ topic: name, payload: `${id}`, qos: 1, id }));
  await publisher.take({ name: "PUBACK", id: 1 });
  const began = performance.now();
  const exit = await server.stop();
  expect(exit).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect((await idle.refused([0x8b], { mustTell: true }))?.name).toBe("DISCONNECT");
  await old.refused();
  const { packets } = await publisher.closed();
  const acknowledged = new Set([1, ...packets.filter((packet) => packet.name === "PUBACK").map((packet) => packet.id)]);
  await server.start();
  const back = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: readerId });
  back.autoAck = true;
  await back.ping();
  const received = new Set<string>();
  while (received.size < acknowledged.size) received.add((await back.message()).payload.toString());
  for (const id of acknowledged) expect(received).toContain(`${id}`);
});

it("exits with 0 on SIGTERM also while a client never reads, and one never sends", async () => {
  const stuck = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  stuck.stream.socket.pause();
  const half = await RawClient.open(server.mqtt);
  half.send(Buffer.from("1020", "hex"));
  const began = performance.now();
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(8_000);
  await server.start();
});

it("refuses new connections while it is stopped, and takes them on the same port after", async () => {
  const { mqtt } = server;
  await server.stop();
  await expect(RawClient.open(mqtt)).rejects.toThrow();
  await server.start();
  const client = await RawClient.connect(mqtt, { clientId: unique("c") });
  await client.ping();
});
