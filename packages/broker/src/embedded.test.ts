import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectMqtt, MessError } from "@mess/client";
import { afterEach, describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import type { EmbeddedMqttOptions } from "./embedded-client.ts";
import type { OpenOptions } from "./open-options.ts";

const text = (payload: Uint8Array): string => Buffer.from(payload).toString();

const made: string[] = [];
const opened: Broker[] = [];

async function open(options: OpenOptions): Promise<Broker> {
  const broker = await Broker.open({ log: "error", ...options });
  opened.push(broker);
  return broker;
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "mess-embedded-"));
  made.push(path);
  return join(path, "data");
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

const policy = `
[roles.writer]
allow = [{ publish = "orders/#" }]
[roles.reader]
allow = [{ subscribe = "orders/+" }]
[principals.shop]
roles = ["writer"]
[principals.billing]
roles = ["reader"]
`;

describe("a broker in memory", () => {
  it("carries messages between clients in the process", async () => {
    const broker = await open({ memory: true });
    await using publisher = await broker.connectMqtt();
    await using subscriber = await broker.connectMqtt();
    expect(await subscriber.subscribe(["a/+"])).toEqual([1]);
    await publisher.publish("a/b", "hello");
    await publisher.publish("a/c", "there", { qos: 2 });
    const messages = subscriber.messages();
    expect(text((await messages.next()).value?.payload ?? new Uint8Array())).toBe("hello");
    expect((await messages.next()).value?.topic).toBe("a/c");
  });

  it("passes more than any buffer holds, in order, to a reader that is slow", async () => {
    const broker = await open({ memory: true });
    await using publisher = await broker.connectMqtt();
    await using subscriber = await broker.connectMqtt(undefined, { queueMessagesMax: 2 });
    await subscriber.subscribe(["bulk"]);
    const count = 400;
    const payload = Buffer.alloc(10_000, 1);
    const published = (async () => {
      for (let n = 0; n < count; n++) {
        payload.writeUInt32BE(n);
        await publisher.publish("bulk", Buffer.from(payload));
      }
    })();
    let next = 0;
    for await (const message of subscriber) {
      expect(Buffer.from(message.payload).readUInt32BE()).toBe(next++);
      if (next % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (next === count) break;
    }
    await published;
  });

  it("touches no disk", async () => {
    const before = readdirSync(".").length;
    await open({ memory: true });
    expect(readdirSync(".")).toHaveLength(before);
  });

  it("keeps what is published while a subscriber with a session is away", async () => {
    const broker = await open({ memory: true });
    const session = { clientId: "c", cleanStart: false, sessionExpiry: 3_600 };
    const first = await broker.connectMqtt(undefined, session);
    await first.subscribe(["t"]);
    await first.disconnect();
    await using publisher = await broker.connectMqtt();
    await publisher.publish("t", "while away");
    await using again = await broker.connectMqtt(undefined, session);
    expect(again.sessionPresent).toBe(true);
    expect(text((await again.messages().next()).value?.payload ?? new Uint8Array())).toBe("while away");
  });

  it("ends its clients when it closes, and takes no more", async () => {
    const broker = await open({ memory: true });
    const client = await broker.connectMqtt();
    await broker.close();
    expect(await client.ended).toMatchObject({ reasonCode: 0x8b });
    await expect(broker.connectMqtt()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("ends clients of the SDK, which would else come back for ever", async () => {
    const broker = await open({ memory: true });
    const client = await broker.connect();
    await client.topic("a").publish({ n: 1 });
    await broker.close();
    expect(await client.ended).toMatchObject({ code: "CLOSED" });
  });

  it("refuses more connections than its limit", async () => {
    const broker = await open({ memory: true, limits: { connectionsMax: 1, connectionsPerAddressMax: 1 } });
    const one = await broker.connectMqtt();
    await expect(broker.connectMqtt()).rejects.toMatchObject({ code: "UNREACHABLE" });
    await one.disconnect();
    await (await broker.connectMqtt()).disconnect();
  });
});

describe("rights of embedded clients", () => {
  it("are those of the principal that the program names", async () => {
    const broker = await open({ memory: true, policy });
    await using shop = await broker.connectMqtt("shop");
    await using billing = await broker.connectMqtt("billing");
    expect(await billing.subscribe(["orders/+", "other"])).toEqual([1, 0x87]);
    await shop.publish("orders/1", "x");
    await expect(shop.publish("other", "x")).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
    await expect(billing.publish("orders/1", "x")).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
    expect((await billing.messages().next()).value?.topic).toBe("orders/1");
  });

  it("are not those of a key that the client shows", async () => {
    const broker = await open({ memory: true, policy });
    const admin = await broker.administrator.createKey("admin", "admin", []);
    // Not in the type; a program in JavaScript may give it all the same.
    const credentials = { keyId: admin.id, secret: admin.secret } as EmbeddedMqttOptions;
    await using shop = await broker.connectMqtt("shop", credentials);
    await expect(shop.publish("other", "x")).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
  });

  it("end when the policy takes them away", async () => {
    const broker = await open({ memory: true, policy });
    await using shop = await broker.connectMqtt("shop");
    await shop.publish("orders/1", "x");
    await broker.administrator.applyPolicy("admin", { roles: {}, principals: { shop: { roles: [] } } }, false);
    await expect(shop.publish("orders/1", "x")).rejects.toBeInstanceOf(MessError);
  });

  it("need a name that somebody has", async () => {
    const broker = await open({ memory: true, policy });
    await expect(broker.connectMqtt("shopp")).rejects.toThrow(
      'there is no principal "shopp" in the policy; do you mean "shop"?',
    );
  });
});

describe("a broker on disk", () => {
  it("keeps what it acknowledged, makes no admin key, and reads its policy from the journal", async () => {
    const data = directory();
    const session = { clientId: "c", cleanStart: false, sessionExpiry: 3_600 };
    {
      await using broker = await Broker.open({ data, policy, log: "error" });
      await using billing = await broker.connectMqtt("billing", session);
      await billing.subscribe(["orders/+"]);
      await using shop = await broker.connectMqtt("shop");
      await shop.publish("orders/1", "kept");
    }
    expect(readdirSync(data)).not.toContain("admin.key");
    expect(statSync(data).mode & 0o777).toBe(0o700);
    const broker = await open({ data });
    await using billing = await broker.connectMqtt("billing", session);
    expect(text((await billing.messages().next()).value?.payload ?? new Uint8Array())).toBe("kept");
  });

  it("is in use by one broker at a time", async () => {
    const data = directory();
    await open({ data });
    await expect(Broker.open({ data, log: "error" })).rejects.toThrow("in use");
  });
});

describe("listeners", () => {
  it("serve others as `mess serve` does, also over a journal in memory", async () => {
    const broker = await open({ memory: true, listeners: { mqttPort: 0, httpPort: 0 } });
    const [keyId = "", secret = ""] = (broker.firstKey ?? "").split(".");
    const { ca = "" } = broker;
    await using remote = await connectMqtt(broker.addresses.mqtt, { keyId, secret, ca });
    await using local = await broker.connectMqtt();
    await remote.subscribe(["t"]);
    await local.publish("t", "over the wire");
    expect((await remote.messages().next()).value?.topic).toBe("t");
  });

  it("do not exist unless asked for", async () => {
    const broker = await open({ memory: true });
    expect(() => broker.addresses).toThrow("without listeners");
    expect(broker.ca).toBeUndefined();
    expect(broker.firstKey).toBeUndefined();
  });
});

describe("bad options", () => {
  it.each([
    [{}, "data: "],
    [{ memory: true, data: "x" }, "data: "],
    [{ memory: true, limits: { packetBytesMax: "2MB" } }, "limits.packetBytesMax"],
    [{ memory: true, limits: { packetBytesMx: 1 } }, "packetBytesMx"],
    [{ memory: true, listeners: { mqttPort: -1 } }, "mqttPort"],
    [{ memory: true, colour: "red" }, "colour"],
    [{ memory: true, policy: { rolles: {} } }, "roles"],
    [{ memory: true, policy: "[roles" }, "TOML"],
  ])("%j are refused by name", async (options, message) => {
    await expect(
      (async () => Broker.open({ log: "silent", ...(options as unknown as OpenOptions) }))(),
    ).rejects.toThrow(message);
  });
});
