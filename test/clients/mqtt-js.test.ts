// MQTT.js over TLS and WebSocket-TLS against `mess serve` as it starts by itself.
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { unique, useServer } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
const open: MqttClient[] = [];

afterEach(async () => {
  for (const client of open.splice(0)) client.end(true);
});

function options(extra: IClientOptions = {}): IClientOptions {
  const { id, secret } = shared.server.admin;
  return {
    username: id,
    password: secret,
    ca: shared.server.ca,
    reconnectPeriod: 0,
    connectTimeout: 8_000,
    clientId: unique("js"),
    ...extra,
  };
}

function url(transport: string): string {
  const { server } = shared;
  if (transport === "mqtts") return `mqtts://localhost:${server.mqtt.port}`;
  return `wss://localhost:${server.webSocket.port}/mqtt`;
}

function connected(address: string, extra: IClientOptions = {}): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const client = connect(address, options(extra));
    open.push(client);
    client.once("connect", () => resolve(client));
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed")));
  });
}

/** The next `count` payloads. */
function payloads(client: MqttClient, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const all: string[] = [];
    client.on("message", (_topic, payload) => {
      all.push(payload.toString());
      if (all.length === count) resolve(all);
    });
  });
}

for (const transport of ["mqtts", "wss"]) {
  for (const protocolVersion of [4, 5] as const) {
    describe(`MQTT.js over ${transport}, version ${protocolVersion}`, () => {
      it("QoS 0, 1 and 2 arrive", async () => {
        const topic = `js/${unique()}`;
        const client = await connected(url(transport), { protocolVersion });
        await client.subscribeAsync(topic, { qos: 2 });
        const received = payloads(client, 30);
        for (let index = 0; index < 30; index += 1)
          await client.publishAsync(topic, `${index}`, { qos: (index % 3) as 0 | 1 | 2 });
        const numbers = (await received).map(Number);
        expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, index) => index));
        for (const qos of [0, 1, 2]) {
          const own = numbers.filter((value) => value % 3 === qos);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      });

      it("a persistent session gets QoS 2 messages that came while it was away, once", async () => {
        const topic = `js/${unique()}`;
        const session: IClientOptions = {
          protocolVersion,
          clientId: unique("js"),
          clean: false,
          ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 600 } } : {}),
        };
        const first = await connected(url(transport), session);
        await first.subscribeAsync(topic, { qos: 2 });
        await first.endAsync();
        const publisher = await connected(url(transport), { protocolVersion });
        for (let index = 0; index < 20; index += 1) await publisher.publishAsync(topic, `${index}`, { qos: 2 });
        const again = connect(url(transport), options(session));
        open.push(again);
        expect((await payloads(again, 20)).map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => index));
        let more = 0;
        again.on("message", () => {
          more += 1;
        });
        await publisher.publishAsync(topic, "last", { qos: 2 });
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect(more).toBe(1);
      });

      it("a will and a retained message work", async () => {
        const topic = `js/${unique()}`;
        const dying = await connected(url(transport), {
          protocolVersion,
          will: { topic, payload: Buffer.from("will"), qos: 1, retain: true },
        });
        const watcher = await connected(url(transport), { protocolVersion });
        await watcher.subscribeAsync(topic, { qos: 1 });
        const received = payloads(watcher, 1);
        dying.stream.destroy();
        expect(await received).toEqual(["will"]);
        const later = await connected(url(transport), { protocolVersion });
        const kept = payloads(later, 1);
        await later.subscribeAsync(topic, { qos: 1 });
        expect(await kept).toEqual(["will"]);
      });

      it("without a key, with a wrong key, without the authority, and without TLS it is refused", async () => {
        const plain = url(transport).replace("mqtts:", "mqtt:").replace("wss:", "ws:");
        const { secret } = shared.server.admin;
        await expect(connected(url(transport), { protocolVersion, username: "", password: "" })).rejects.toThrow();
        await expect(
          connected(url(transport), { protocolVersion, password: `${secret.slice(0, -1)}?` }),
        ).rejects.toThrow();
        await expect(connected(url(transport), { protocolVersion, ca: [] })).rejects.toThrow();
        await expect(connected(plain, { protocolVersion })).rejects.toThrow();
      });
    });
  }
}
