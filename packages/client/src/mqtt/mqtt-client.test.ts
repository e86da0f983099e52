import { type Packet, PacketType, type PublishPacket } from "@mess/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import { TestServer, type TestServerOptions } from "../test-server.test-data.ts";
import { connectMqtt, type MqttConnectOptions } from "./connect-mqtt.ts";
import type { MqttClient } from "./mqtt-client.ts";

const servers: TestServer[] = [];
const clients: MqttClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.disconnect({ timeout: 100 })));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(options: TestServerOptions = {}): Promise<{ server: TestServer; url: string }> {
  const server = new TestServer(options);
  servers.push(server);
  return { server, url: await server.listen() };
}

async function open(
  options: TestServerOptions = {},
  more: MqttConnectOptions = {},
): Promise<{ server: TestServer; client: MqttClient }> {
  const { server, url } = await serve(options);
  const client = await connectMqtt(url, more);
  clients.push(client);
  return { server, client };
}

async function take(client: MqttClient, count: number): Promise<string[]> {
  const texts: string[] = [];
  if (count === 0) return texts;
  for await (const message of client) {
    texts.push(Buffer.from(message.payload).toString());
    message.ack();
    if (texts.length === count) break;
  }
  return texts;
}

const isType =
  (type: Packet["type"]) =>
  (packet: Packet): boolean =>
    packet.type === type;

describe.each([5, 4] as const)("MQTT level %s", (version) => {
  it.each([0, 1, 2] as const)("publishes at QoS %s and receives in order", async (qos) => {
    const { client } = await open({}, { version });
    expect(await client.subscribe([{ filter: "a/+", qos }])).toEqual([qos]);
    const sent = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    const results = await Promise.all(sent.map((text) => client.publish("a/b", text, { qos })));
    expect(new Set(results.map(({ reasonCode }) => reasonCode))).toEqual(new Set([0]));
    expect(await take(client, 50)).toEqual(sent);
  });

  it("sends what it was told in CONNECT", async () => {
    const will = { topic: "gone", payload: "bye", qos: 2, retain: true } as const;
    const options = {
      keyId: "k_1",
      secret: "not a real one",
      clientId: "me",
      cleanStart: false,
      keepAlive: 7,
      will,
      version,
    };
    const { server } = await open({}, options);
    const connectPacket = server.connection.connect;
    expect(connectPacket).toMatchObject({ version, clientId: "me", cleanStart: false, keepAlive: 7, username: "k_1" });
    expect(Buffer.from(connectPacket?.password ?? []).toString()).toBe("not a real one");
    expect(connectPacket?.will).toMatchObject({ topic: "gone", qos: 2, retain: true });
  });

  it("unsubscribes", async () => {
    const { client, server } = await open({}, { version });
    await client.subscribe(["a", "b"]);
    expect(await client.unsubscribe(["a"])).toEqual(version === 5 ? [0] : []);
    expect(server.connection.received.find(isType(PacketType.UNSUBSCRIBE))).toMatchObject({ filters: ["a"] });
  });
});

describe("publish", () => {
  it("carries 5.0 properties there and back", async () => {
    const { client } = await open();
    await client.subscribe(["p"]);
    const properties = {
      contentType: "text/plain",
      correlationData: Buffer.from([0, 255]),
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ],
    } as const;
    await client.publish("p", new Uint8Array([1, 2]), { properties });
    const { value } = await client.messages().next();
    expect(value?.properties).toMatchObject({
      contentType: "text/plain",
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ],
    });
    expect([...(value?.properties.correlationData ?? [])]).toEqual([0, 255]);
    expect([...(value?.payload ?? [])]).toEqual([1, 2]);
  });

  it("never has more unacknowledged than the server's Receive Maximum, and keeps the order", async () => {
    const held: PublishPacket[] = [];
    const { client, server } = await open({
      connack: () => ({ sessionPresent: false, reasonCode: 0, properties: { receiveMaximum: 3 } }),
      intercept: (packet) => packet.type === PacketType.PUBLISH && held.push(packet) > 0,
    });
    const results = Array.from({ length: 10 }, (_, index) => client.publish("t", String(index)));
    await vi.waitFor(() => expect(held.length).toBe(3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(held.length).toBe(3);
    for (let index = 0; index < 10; index += 1) {
      await vi.waitFor(() => expect(held.length).toBeGreaterThan(index));
      expect(held.length).toBeLessThanOrEqual(index + 3);
      server.connection.send({ type: PacketType.PUBACK, packetId: held[index]?.packetId ?? 0, reasonCode: 0 });
    }
    await Promise.all(results);
    expect(held.map(({ payload }) => Buffer.from(payload).toString())).toEqual([..."0123456789"]);
  });

  it("rejects with the server's reason", async () => {
    const { client } = await open({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0x87 });
        return true;
      },
    });
    await expect(client.publish("t", "x")).rejects.toMatchObject({
      code: "NOT_AUTHORIZED",
      reasonCode: 0x87,
      reason: "Not authorized",
      retryable: false,
    });
  });

  it("reports 0x10 as a success that nobody reads", async () => {
    const { client } = await open({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        connection.send({ type: PacketType.PUBREC, packetId: packet.packetId ?? 0, reasonCode: 0x10 });
        return true;
      },
    });
    expect(await client.publish("t", "x", { qos: 2 })).toEqual({ reasonCode: 0x10 });
  });

  it.each(["", "a/#", "+", "a\0b", "\ud800", "x".repeat(65_536)])(
    "refuses a bad topic before it is sent (%#)",
    async (topic) => {
      const { client } = await open();
      await expect(client.publish(topic, "x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("refuses what the server said it does not take, and goes on", async () => {
    const { client } = await open({
      connack: () => ({
        sessionPresent: false,
        reasonCode: 0,
        properties: { maximumPacketSize: 100, maximumQoS: 1, retainAvailable: false },
      }),
    });
    await expect(client.publish("t", "x".repeat(200))).rejects.toMatchObject({ code: "TOO_LARGE" });
    await expect(client.publish("t", "x", { qos: 2 })).rejects.toMatchObject({ reasonCode: 0x9b });
    await expect(client.publish("t", "x", { retain: true })).rejects.toMatchObject({ reasonCode: 0x9a });
    await client.publish("t", "x");
  });

  it("gives up at its deadline and by its signal", async () => {
    const { client } = await open({ intercept: isType(PacketType.PUBLISH) });
    const controller = new AbortController();
    const given = client.publish("t", "x", { signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "ABORTED" });
    await expect(client.publish("t", "x", { timeout: 10 })).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
  });

  it("refuses more than may wait", async () => {
    const { client } = await open(
      {
        connack: () => ({ sessionPresent: false, reasonCode: 0, properties: { receiveMaximum: 1 } }),
        intercept: isType(PacketType.PUBLISH),
      },
      { waitingMax: 2 },
    );
    const outcomes = Array.from({ length: 4 }, () =>
      client.publish("t", "x", { timeout: 50 }).then(String, (error) => error.code),
    );
    expect(await Promise.all(outcomes)).toEqual(["TIMEOUT", "TIMEOUT", "TIMEOUT", "QUEUE_FULL"]);
  });
});

describe("a server that does not read", () => {
  it("fills the bounded queue and not the memory, and gets everything in the end", async () => {
    const { client, server } = await open({}, { waitingBytesMax: 1 << 20 });
    server.connection.socket.pause();
    const payload = Buffer.alloc(64 * 1024);
    const outcomes: Promise<string>[] = [];
    for (let index = 0; index < 1000; index += 1) {
      outcomes.push(
        client.publish("t", payload, { qos: 0 }).then(
          () => "sent",
          (error) => error.code,
        ),
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    server.connection.socket.resume();
    const codes = await Promise.all(outcomes);
    expect(new Set(codes)).toEqual(new Set(["sent", "QUEUE_FULL"]));
    await client.disconnect();
    const received = server.connection.received.filter(isType(PacketType.PUBLISH)).length;
    expect(received).toBe(codes.filter((code) => code === "sent").length);
  });
});

describe("receiving", () => {
  it("stops reading the socket when the reader is slow, and loses nothing", async () => {
    const { client, server } = await open({}, { queueMessagesMax: 10 });
    await client.subscribe([{ filter: "t", qos: 0 }]);
    const payload = Buffer.alloc(1024, "x");
    const total = 20_000;
    for (let index = 0; index < total; index += 1)
      server.connection.send({ type: PacketType.PUBLISH, topic: "t", payload, qos: 0, retain: false, dup: false });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(server.connection.socket.writableLength).toBeGreaterThan(1 << 20);
    expect((await take(client, total)).length).toBe(total);
  });

  it("acknowledges by hand only when told", async () => {
    const { client, server } = await open({}, { acknowledge: "manual" });
    await client.subscribe(["t"]);
    await client.publish("t", "x");
    const { value } = await client.messages().next();
    await client.publish("other", "x");
    expect(server.connection.received.some(isType(PacketType.PUBACK))).toBe(false);
    value?.ack(0x97);
    value?.ack();
    await vi.waitFor(() =>
      expect(server.connection.received.filter(isType(PacketType.PUBACK))).toMatchObject([{ reasonCode: 0x97 }]),
    );
  });

  it("takes a repeated QoS 2 packet for the same message", async () => {
    const { client, server } = await open();
    const publish = {
      type: PacketType.PUBLISH,
      topic: "t",
      payload: Buffer.from("once"),
      qos: 2,
      retain: false,
      packetId: 9,
    } as const;
    server.connection.send({ ...publish, dup: false });
    server.connection.send({ ...publish, dup: true });
    expect(await take(client, 1)).toEqual(["once"]);
    server.connection.send({ ...publish, dup: true });
    server.connection.send({ type: PacketType.PUBREL, packetId: 9, reasonCode: 0 });
    server.connection.send({ ...publish, payload: Buffer.from("anew"), dup: false });
    expect(await take(client, 1)).toEqual(["anew"]);
  });

  it("ends the connection when the server exceeds our Receive Maximum", async () => {
    const { client, server } = await open({}, { receiveMaximum: 2, acknowledge: "manual" });
    for (const packetId of [1, 2, 3]) {
      server.connection.send({
        type: PacketType.PUBLISH,
        topic: "t",
        payload: Buffer.alloc(0),
        qos: 1,
        retain: false,
        dup: false,
        packetId,
      });
    }
    expect(await client.ended).toMatchObject({ code: "PROTOCOL_ERROR", reasonCode: 0x93 });
    await vi.waitFor(() =>
      expect(server.connection.received.at(-1)).toMatchObject({ type: PacketType.DISCONNECT, reasonCode: 0x93 }),
    );
  });

  it("ends the connection on bytes that are not MQTT", async () => {
    const { client, server } = await open();
    server.connection.socket.write(Buffer.from([0xf1, 0xff, 0xff, 0xff, 0xff]));
    expect(await client.ended).toMatchObject({ code: "PROTOCOL_ERROR" });
    await expect(client.messages().next()).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });
});

describe("the end", () => {
  it("waits for open publishes", async () => {
    const { client, server } = await open({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        setTimeout(
          () => connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0 }),
          100,
        );
        return true;
      },
    });
    const published = client.publish("t", "x");
    await client.disconnect();
    expect(await published).toEqual({ reasonCode: 0 });
    expect(server.connection.received.at(-1)).toMatchObject({ type: PacketType.DISCONNECT });
    expect(await client.ended).toBeUndefined();
    expect(await client.messages().next()).toEqual({ done: true, value: undefined });
    await expect(client.publish("t", "x")).rejects.toMatchObject({ code: "CLOSED" });
    await expect(client.subscribe(["t"])).rejects.toMatchObject({ code: "CLOSED" });
    await client.disconnect();
  });

  it("fails what is pending when the connection breaks", async () => {
    const { client, server } = await open({ intercept: (packet) => packet.type !== PacketType.CONNECT });
    const pending = [client.publish("t", "x"), client.subscribe(["t"]), client.messages().next()];
    setTimeout(() => server.connection.socket.destroy(), 50);
    for (const one of pending) await expect(one).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(await client.ended).toMatchObject({ code: "CONNECTION_LOST" });
  });

  it("tells why the server ended it", async () => {
    const { client, server } = await open();
    const waiting = client.messages().next();
    server.connection.send({
      type: PacketType.DISCONNECT,
      reasonCode: 0x8e,
      properties: { reasonString: "taken over by 10.0.0.1" },
    });
    await expect(waiting).rejects.toMatchObject({
      code: "REFUSED",
      reasonCode: 0x8e,
      reason: "taken over by 10.0.0.1",
    });
  });

  it("notices a server that stops answering", async () => {
    const { client } = await open({ intercept: isType(PacketType.PINGREQ) }, { keepAlive: 1 });
    expect(await client.ended).toMatchObject({ code: "TIMEOUT" });
  });

  it("keeps an idle connection alive", async () => {
    const { client, server } = await open({}, { keepAlive: 1 });
    await vi.waitFor(
      () => expect(server.connection.received.filter(isType(PacketType.PINGREQ)).length).toBeGreaterThan(1),
      5000,
    );
    await client.publish("t", "x");
  });
});
