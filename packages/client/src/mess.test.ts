import { PacketType, type PublishPacket } from "@mess/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import { connect } from "./connect.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { userProperty } from "./connection/user-property.ts";
import { FakeBroker, type FakeBrokerOptions } from "./fake-broker.test-data.ts";
import type { Mess } from "./mess.ts";
import { MessError } from "./mess-error.ts";

const clients: Mess[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ timeout: 0 })));
});

const fast = { reconnect: { min: 1, max: 5 } } as const;

async function open(
  options: ConnectOptions = {},
  broker: FakeBroker = new FakeBroker(),
): Promise<{ mess: Mess; broker: FakeBroker }> {
  const mess = await connect("mqtt://localhost", { ...fast, transport: broker.transport, ...options });
  clients.push(mess);
  return { mess, broker };
}

const isPublish = (packet: { type: number }): packet is PublishPacket => packet.type === PacketType.PUBLISH;

describe("publish", () => {
  it("resolves with what the broker promised", async () => {
    const { mess, broker } = await open();
    broker.publish("before", "x");
    const topic = mess.topic("plant/{line}/temp");
    const receipt = await topic.publish({ line: 7 }, { celsius: 21.5 });
    expect(receipt).toEqual({
      offset: 1,
      duplicate: false,
      durability: "persisted",
      id: expect.stringMatching(/^[0-9a-v]{20}\.1$/u),
      subscribed: false,
    });
    expect(broker.log[1]).toMatchObject({ topic: "plant/7/temp", payload: '{"celsius":21.5}' });
    expect(broker.log[1]?.properties.contentType).toBe("application/json");
  });

  it("stores a repeat once, and says so", async () => {
    const { mess, broker } = await open();
    const topic = mess.topic("t");
    const first = await topic.publish("a", { id: "r-42" });
    expect(await topic.publish("a", { id: "r-42" })).toMatchObject({
      offset: first.offset,
      duplicate: true,
      id: "r-42",
    });
    expect(broker.log).toHaveLength(1);
    await topic.publish("a", { id: false });
    expect(userProperty(broker.log[1]?.properties, "mess-id")).toBeUndefined();
  });

  it("says key, priority, delay, time, expiry and headers in the broker's words", async () => {
    const { mess, broker } = await open();
    const topic = mess.topic("t");
    await topic.publish(1, { key: "k", priority: 9, delay: "1h30m", expiresIn: "2s", headers: { a: "b" }, id: "i" });
    await topic.publish(2, { at: "2030-01-02T03:04:05+01:00", retain: true, id: false });
    const [first, second] = broker.log;
    const delay = Number(userProperty(first?.properties, "mess-delay"));
    expect(delay).toBeGreaterThan(5_390_000);
    expect(delay).toBeLessThanOrEqual(5_400_000);
    expect(first?.properties.messageExpiryInterval).toBe(2);
    expect(first?.properties.userProperties?.filter(([name]) => name !== "mess-delay")).toEqual([
      ["mess-id", "i"],
      ["mess-key", "k"],
      ["mess-priority", "9"],
      ["a", "b"],
    ]);
    expect(second?.properties.userProperties).toEqual([["mess-at", "2030-01-02T02:04:05.000Z"]]);
    expect(second?.retain).toBe(true);
  });

  it.each([
    [{ headers: { "mess-key": "k" } }, /begins with mess-/u],
    [{ priority: 10 }, /priority/u],
    [{ priority: 0.5 }, /priority/u],
    [{ delay: "soon" }, /delay is not a duration/u],
    [{ delay: -1 }, /delay is not a duration/u],
    [{ at: "tomorrow" }, /at is not a time/u],
    [{ at: new Date(), delay: 1 }, /exclude each other/u],
    [{ expiresIn: "1 h" }, /expiresIn/u],
    [{ timeout: "x" }, /timeout/u],
  ])("refuses bad options before anything is sent: %j", async (options, message) => {
    const { mess, broker } = await open();
    const refused = mess.topic("t").publish(1, options);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    expect(broker.log).toHaveLength(0);
  });

  it("with durability sent resolves when it is handed over, without an id", async () => {
    const { mess, broker } = await open();
    const receipt = await mess.topic("t").publish(1, { durability: "sent" });
    expect(receipt).toMatchObject({ durability: "sent", offset: undefined, id: undefined });
    await vi.waitFor(() => expect(broker.log).toHaveLength(1));
    expect(broker.connections[0]?.received.find(isPublish)?.qos).toBe(0);
  });

  it("tells a refusal as a MessError", async () => {
    const broker = new FakeBroker({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        const reason = { reasonCode: 0x87, properties: { reasonString: "no right" } };
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, ...reason });
        return true;
      },
    });
    const { mess } = await open({}, broker);
    const error: unknown = await mess
      .topic("t")
      .publish(1)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MessError);
    expect(error).toMatchObject({ code: "NOT_AUTHORIZED", reasonCode: 0x87, retryable: false, hint: /mess why/u });
  });

  it("retries a quota with backoff when asked, and only then", async () => {
    let refusals = 3;
    const options: FakeBrokerOptions = {
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH || refusals === 0) return false;
        refusals -= 1;
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0x97 });
        return true;
      },
    };
    const { mess, broker } = await open({}, new FakeBroker(options));
    await expect(mess.topic("t").publish(1)).rejects.toMatchObject({ reasonCode: 0x97, retryable: true });
    expect(await mess.topic("t").publish(2, { onQuota: "retry" })).toMatchObject({ offset: 0 });
    expect(broker.log).toHaveLength(1);
    refusals = Number.POSITIVE_INFINITY;
    const given = mess.topic("t").publish(3, { onQuota: "retry", timeout: 300 });
    await expect(given).rejects.toMatchObject({ code: "REFUSED", reasonCode: 0x97, message: /quota/u });
  });

  it("gives up at its deadline and by its signal, and says what that means", async () => {
    const broker = new FakeBroker({ intercept: (packet) => packet.type === PacketType.PUBLISH });
    const { mess } = await open({}, broker);
    const late = mess.topic("t").publish(1, { timeout: 50, id: "x" });
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT", retryable: true, hint: /again with the id "x"/u });
    const signal = AbortSignal.timeout(20);
    await expect(mess.topic("t").publish(1, { signal })).rejects.toMatchObject({ code: "ABORTED", hint: /may not/u });
    const aborted = AbortSignal.abort();
    await expect(mess.topic("t").publish(1, { signal: aborted })).rejects.toMatchObject({ hint: /was not sent/u });
    expect(mess.pending).toBe(0);
  });
});

describe("a lost connection", () => {
  it("sends again what was not answered, in order, and the broker stores it once", async () => {
    let answers = true;
    const broker = new FakeBroker();
    const { mess } = await open({}, broker);
    broker.options.intercept = (packet, connection) => {
      if (packet.type !== PacketType.PUBLISH || answers) return false;
      // Stored, but the answer is lost.
      broker.publish(packet.topic, Buffer.from(packet.payload).toString(), packet.properties);
      broker.ids.set(userProperty(packet.properties, "mess-id") ?? "", broker.log.length - 1);
      return connection.open;
    };
    answers = false;
    const topic = mess.topic("t");
    const all = Array.from({ length: 20 }, (_, index) => topic.publish(index));
    await vi.waitFor(() => expect(broker.log).toHaveLength(20));
    answers = true;
    broker.cutAll();
    const later = topic.publish(20);
    const receipts = await Promise.all([...all, later]);
    expect(receipts.map(({ offset }) => offset)).toEqual(Array.from({ length: 21 }, (_, index) => index));
    expect(receipts.slice(0, 20).every(({ duplicate }) => duplicate)).toBe(true);
    expect(broker.log.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 21 }, (_, index) => index));
  });

  it("keeps publishes while there is none, within bounds", async () => {
    const { mess, broker } = await open({ offline: { maxMessages: 3 } });
    broker.reachable = false;
    broker.cutAll();
    await vi.waitFor(() => expect(mess.state.name).toBe("reconnecting"));
    const kept = [1, 2, 3].map((value) => mess.topic("t").publish(value));
    await expect(mess.topic("t").publish(4)).rejects.toMatchObject({ code: "QUEUE_FULL", retryable: true });
    broker.reachable = true;
    await Promise.all(kept);
    expect(broker.log.map(({ payload }) => payload)).toEqual(["1", "2", "3"]);
  });

  it("lets publishers wait for room, in order, when asked to", async () => {
    const { mess, broker } = await open({ offline: { maxMessages: 2, maxBytes: 10_000, whenFull: "wait" } });
    broker.reachable = false;
    broker.cutAll();
    const all = Array.from({ length: 10 }, (_, index) => mess.topic("t").publish(index));
    const controller = new AbortController();
    const given = mess.topic("t").publish("given up", { signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "ABORTED", hint: /was not sent/u });
    expect(mess.pending).toBe(11);
    broker.reachable = true;
    await Promise.all(all);
    expect(mess.pending).toBe(0);
    expect(broker.log.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 10 }, (_, index) => index));
  });

  it("does not publish what expired meanwhile", async () => {
    const { mess, broker } = await open();
    broker.reachable = false;
    broker.cutAll();
    const expired = mess.topic("t").publish(1, { expiresIn: 20 });
    expired.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    broker.reachable = true;
    await expect(expired).rejects.toMatchObject({ code: "TIMEOUT", message: /expired/u });
    expect(broker.log).toHaveLength(0);
  });

  it("is told as states, and close ends it all", async () => {
    const broker = new FakeBroker();
    const { mess } = await open({}, broker);
    const states: string[] = [];
    mess.on("state", ({ name, reason }) => states.push(reason === undefined ? name : `${name} ${reason.code}`));
    broker.cutAll();
    await vi.waitFor(() => expect(states).toContain("connected"));
    await mess.close();
    expect(states).toEqual(["reconnecting CONNECTION_LOST", "connected", "closed"]);
    expect(await mess.ended).toBeUndefined();
    await expect(mess.topic("t").publish(1)).rejects.toMatchObject({ code: "CLOSED" });
    expect(broker.sessions.size).toBe(0);
  });

  it("is the end without reconnect", async () => {
    const { mess, broker } = await open({ reconnect: false });
    broker.cutAll();
    expect(await mess.ended).toMatchObject({ code: "CONNECTION_LOST" });
    await expect(mess.topic("t").publish(1)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  });
});

describe("close", () => {
  it("waits for open publishes, at most for its time", async () => {
    const { mess, broker } = await open();
    const last = mess.topic("t").publish("last");
    await mess.close();
    expect(await last).toMatchObject({ offset: 0 });
    broker.options.intercept = (packet) => packet.type === PacketType.PUBLISH;
    const { mess: second } = await open({}, broker);
    const lost = second.topic("t").publish("lost");
    lost.catch(() => undefined);
    await second.close({ timeout: 20 });
    await expect(lost).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("by await using", async () => {
    const broker = new FakeBroker();
    {
      await using mess = await connect("mqtt://localhost", { transport: broker.transport });
      await mess.topic("t").publish(1);
    }
    await vi.waitFor(() => expect(broker.open).toHaveLength(0));
  });
});

describe("listeners", () => {
  it("that throw harm nobody", async () => {
    const { mess, broker } = await open();
    const errors: unknown[] = [];
    mess.on("state", () => {
      throw new Error("mine");
    });
    mess.on("state", (async () => {
      await Promise.resolve();
      throw new Error("async");
    }) as () => void);
    const states: string[] = [];
    mess.on("state", ({ name }) => states.push(name));
    const off = mess.on("error", ({ error }) => {
      errors.push((error as Error).message);
      throw new Error("again");
    });
    broker.cutAll();
    await vi.waitFor(() => expect(states).toEqual(["reconnecting", "connected"]));
    expect(errors).toContain("mine");
    await vi.waitFor(() => expect(errors).toContain("async"));
    off();
    const before = errors.length;
    broker.cutAll();
    await vi.waitFor(() => expect(states).toHaveLength(4));
    expect(errors).toHaveLength(before);
  });
});
