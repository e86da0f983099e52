// What a session, a subscription and a message are must outlive the process: MQTT 5.0 section 4.1, RELIABILITY D1 to D6.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as build from "../support/packets.ts";
import { type ConnectOptions, RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, sleep, topic, unique, will } from "../support/suite.ts";
import { target } from "../support/target.ts";

interface World {
  readonly server: Server;
  connect(options?: ConnectOptions): Promise<RawClient>;
}

interface Case<T> {
  readonly title: string;
  before(world: World): Promise<T>;
  after(world: World, state: T): Promise<void>;
  readonly onlyMess?: boolean;
}

const cases: Case<unknown>[] = [];

function survives<T>(
  title: string,
  before: Case<T>["before"],
  after: Case<T>["after"],
  options: { onlyMess?: boolean } = {},
): void {
  if (target === "mosquitto" && options.onlyMess === true) return;
  cases.push({ title, before, after, ...options } as Case<unknown>);
}

const properties = {
  payloadFormatIndicator: 1,
  contentType: "text/plain",
  responseTopic: "t/answer",
  correlationData: Buffer.from([0, 1, 2, 255]),
  userProperty: [
    ["b", "1"],
    ["a", "2"],
    ["b", "1"],
  ] as [string, string][],
};

for (const version of [4, 5] as const) {
  const name = version === 4 ? "3.1.1" : "5.0";

  survives(
    `[MQTT-4.1.0-1] [MQTT-3.1.2-23] [MQTT311-3.1.2-5] [MQTT311-4.1.0-1] a session with its backlog, in order (${name})`,
    async ({ connect }) => {
      const state = { clientId: unique("c"), topic: topic() };
      const reader = await connect({ ...lasting(version), clientId: state.clientId });
      await reader.subscribe({ filter: state.topic, qos: 2 });
      await reader.drop();
      const publisher = await connect({ version });
      for (let index = 0; index < 50; index += 1)
        await publisher.publish({ topic: state.topic, payload: `${index}`, qos: 1 + (index % 2) });
      return state;
    },
    async ({ connect }, state) => {
      const back = await connect({ ...lasting(version), clientId: state.clientId });
      back.autoAck = true;
      expect(back.connack?.sessionPresent).toBe(true);
      const messages = await back.messages(50);
      // the standard orders what has one topic and one QoS
      for (const qos of [1, 2]) {
        const own = messages
          .filter((message) => message.qos === qos)
          .map((message) => Number(message.payload.toString()));
        expect(own).toEqual(Array.from({ length: 25 }, (_, index) => 2 * index + qos - 1));
      }
      const publisher = await connect({ version });
      await publisher.publish({ topic: state.topic, payload: "still subscribed", qos: 2 });
      const next = await back.message();
      expect([next.payload.toString(), next.qos]).toEqual(["still subscribed", 2]);
    },
  );

  survives(
    `[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT311-4.4.0-1] deliveries in flight, with their ids (${name})`,
    async ({ connect }) => {
      const state = { clientId: unique("c"), topic: topic() };
      const reader = await connect({ ...lasting(version), clientId: state.clientId });
      await reader.subscribe({ filter: state.topic, qos: 2 });
      const publisher = await connect({ version });
      await publisher.publish({ topic: state.topic, payload: "before PUBREC", qos: 2 });
      await publisher.publish({ topic: state.topic, payload: "after PUBREC", qos: 2 });
      await publisher.publish({ topic: state.topic, payload: "QoS 1", qos: 1 });
      const [first, second] = await reader.messages(3);
      reader.send(build.ack("PUBREC", second?.id ?? 0));
      await reader.take({ name: "PUBREL", id: second?.id ?? 0 });
      return { ...state, first: first?.id ?? 0, second: second?.id ?? 0 };
    },
    async ({ connect }, state) => {
      const back = await connect({ ...lasting(version), clientId: state.clientId });
      await back.take({ name: "PUBREL", id: state.second });
      const messages = await back.messages(2);
      expect(messages.map((message) => message.payload.toString())).toEqual(["before PUBREC", "QoS 1"]);
      expect([messages[0]?.id, messages[0]?.dup]).toEqual([state.first, true]);
      await back.expectNothing(150);
    },
  );

  survives(
    `[MQTT-4.3.3-10] [MQTT311-4.3.3-2] a QoS 2 message received and not released is delivered once (${name})`,
    async ({ connect }) => {
      const state = { clientId: unique("c"), readerId: unique("c"), topic: topic() };
      const reader = await connect({ ...lasting(version), clientId: state.readerId });
      await reader.subscribe({ filter: state.topic, qos: 1 });
      await reader.drop();
      const publisher = await connect({ ...lasting(version), clientId: state.clientId });
      publisher.send(build.publish({ version, topic: state.topic, payload: "once", qos: 2, id: 21 }));
      await publisher.next({ name: "PUBREC", id: 21 });
      publisher.send(build.publish({ version, topic: state.topic, payload: "released", qos: 2, id: 22 }));
      await publisher.next({ name: "PUBREC", id: 22 });
      publisher.send(build.ack("PUBREL", 22));
      await publisher.next({ name: "PUBCOMP", id: 22 });
      return state;
    },
    async ({ connect }, state) => {
      const publisher = await connect({ ...lasting(version), clientId: state.clientId });
      publisher.send(build.publish({ version, topic: state.topic, payload: "once", qos: 2, id: 21, dup: true }));
      await publisher.next({ name: "PUBREC", id: 21 });
      publisher.send(build.ack("PUBREL", 21));
      await publisher.next({ name: "PUBCOMP", id: 21, code: 0 });
      const reader = await connect({ ...lasting(version), clientId: state.readerId });
      const payloads = (await reader.messages(2)).map((message) => message.payload.toString());
      expect(payloads.toSorted()).toEqual(["once", "released"]);
      await reader.expectNothing(150);
    },
  );

  survives(
    `[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT311-3.3.1-5] [MQTT311-3.3.1-10] retained messages, and that one was cleared (${name})`,
    async ({ connect }) => {
      const state = { kept: topic(), cleared: topic(), zero: topic() };
      const publisher = await connect({ version });
      await publisher.publish({ topic: state.kept, payload: "old", qos: 1, retain: true });
      await publisher.publish({ topic: state.kept, payload: "kept", qos: 2, retain: true, properties });
      await publisher.publish({ topic: state.cleared, payload: "gone", qos: 1, retain: true });
      await publisher.publish({ topic: state.cleared, qos: 1, retain: true });
      await publisher.publish({ topic: state.zero, payload: "zero", qos: 0, retain: true });
      await publisher.publish({ topic: topic(), qos: 1 });
      return state;
    },
    async ({ connect }, state) => {
      const reader = await connect({ version });
      await reader.subscribe([
        { filter: state.kept, qos: 2 },
        { filter: state.cleared, qos: 2 },
        { filter: state.zero, qos: 2 },
      ]);
      const messages = await reader.messages(2);
      const kept = messages.find((message) => message.topic === state.kept);
      expect([kept?.payload.toString(), kept?.qos, kept?.retain]).toEqual(["kept", 2, true]);
      if (version === 5) expect(kept?.properties).toEqual(properties);
      expect(messages.find((message) => message.topic === state.zero)?.payload.toString()).toBe("zero");
      await reader.expectNothing(100);
    },
  );

  survives(
    `[MQTT-3.10.4-2] [MQTT-3.1.2-4] [MQTT311-3.1.2-6] removed subscriptions and ended sessions do not come back (${name})`,
    async ({ connect }) => {
      const state = { clientId: unique("c"), ended: unique("c"), clean: unique("c"), topic: topic() };
      const one = await connect({ ...lasting(version), clientId: state.clientId });
      await one.subscribe([
        { filter: state.topic, qos: 1 },
        { filter: `${state.topic}/+`, qos: 1 },
      ]);
      await one.unsubscribe(state.topic);
      const two = await connect({ ...lasting(version), clientId: state.ended });
      await two.subscribe({ filter: state.topic, qos: 1 });
      await two.disconnect();
      const again = await connect({ version, clientId: state.ended, cleanStart: true });
      await again.disconnect();
      const three = await connect({ version, clientId: state.clean, cleanStart: true });
      await three.subscribe({ filter: state.topic, qos: 1 });
      return state;
    },
    async ({ connect }, state) => {
      const one = await connect({ ...lasting(version), clientId: state.clientId });
      expect(one.connack?.sessionPresent).toBe(true);
      for (const clientId of [state.ended, state.clean]) {
        const client = await connect({ ...lasting(version), clientId });
        expect(client.connack?.sessionPresent).toBe(false);
      }
      const publisher = await connect({ version });
      await publisher.publish({ topic: state.topic, payload: "no", qos: 1 });
      await publisher.publish({ topic: `${state.topic}/x`, payload: "yes", qos: 1 });
      expect((await one.message()).payload.toString()).toBe("yes");
    },
  );

  survives(
    `[MQTT-4.5.0-2] [MQTT311-4.5.0-2] what was acknowledged some time ago is not delivered again (${name})`,
    async ({ connect }) => {
      const state = { clientId: unique("c"), topic: topic() };
      const reader = await connect({ ...lasting(version), clientId: state.clientId });
      reader.autoAck = true;
      await reader.subscribe({ filter: state.topic, qos: 2 });
      const publisher = await connect({ version });
      for (let index = 0; index < 10; index += 1)
        await publisher.publish({ topic: state.topic, payload: `${index}`, qos: 1 + (index % 2) });
      await reader.messages(10);
      await reader.ping();
      await sleep(500);
      return state;
    },
    async ({ connect }, state) => {
      const back = await connect({ ...lasting(version), clientId: state.clientId });
      await back.ping();
      await back.expectNothing(200);
    },
  );
}

survives(
  "[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20] [MQTT-3.3.4-3] every property and the subscription identifier of a queued message",
  async ({ connect }) => {
    const state = { clientId: unique("c"), topic: topic() };
    const reader = await connect({ ...lasting(5), clientId: state.clientId });
    await reader.subscribe({ filter: state.topic, qos: 1 }, { properties: { subscriptionIdentifier: 4_321 } });
    await reader.drop();
    const publisher = await connect();
    await publisher.publish({
      topic: state.topic,
      payload: "é",
      qos: 1,
      properties: { ...properties, messageExpiryInterval: 500 },
    });
    return state;
  },
  async ({ connect }, state) => {
    const back = await connect({ ...lasting(5), clientId: state.clientId });
    const message = await back.message();
    expect(message.properties).toMatchObject({ ...properties, subscriptionIdentifier: [4_321] });
    expect(message.properties.messageExpiryInterval).toBeLessThanOrEqual(500);
    expect(message.properties.messageExpiryInterval).toBeGreaterThan(400);
  },
);

survives(
  "[MQTT-3.8.3-3] [MQTT-3.3.1-10] [MQTT-3.3.1-13] the options of a subscription: No Local, Retain As Published, and that it is not new",
  async ({ connect }) => {
    const state = { clientId: unique("c"), local: topic(), asPublished: topic() };
    const client = await connect({ ...lasting(5), clientId: state.clientId });
    await client.subscribe([
      { filter: state.local, qos: 1, noLocal: true },
      { filter: state.asPublished, qos: 1, retainAsPublished: true },
    ]);
    return state;
  },
  async ({ connect }, state) => {
    const client = await connect({ ...lasting(5), clientId: state.clientId });
    await client.publish({ topic: state.local, payload: "own", qos: 1 });
    const other = await connect();
    await other.publish({ topic: state.asPublished, payload: "flag", qos: 1, retain: true });
    const message = await client.message();
    expect([message.payload.toString(), message.retain]).toEqual(["flag", true]);
    client.send(build.ack("PUBACK", message.id));
    await client.subscribe({ filter: state.asPublished, qos: 1, retainAsPublished: true, retainHandling: 1 });
    await client.ping();
    await client.expectNothing(100);
  },
);

survives(
  "[MQTT-4.8.2-3] a share and its backlog",
  async ({ connect }) => {
    const state = { clientId: unique("c"), topic: topic() };
    const member = await connect({ ...lasting(5), clientId: state.clientId });
    await member.subscribe({ filter: `$share/g/${state.topic}`, qos: 1 });
    await member.drop();
    const publisher = await connect();
    for (let index = 0; index < 5; index += 1)
      await publisher.publish({ topic: state.topic, payload: `${index}`, qos: 1 });
    return state;
  },
  async ({ connect }, state) => {
    const back = await connect({ ...lasting(5), clientId: state.clientId });
    back.autoAck = true;
    expect((await back.messages(5)).map((message) => message.payload.toString())).toEqual(["0", "1", "2", "3", "4"]);
  },
);

survives(
  "[MQTT-3.1.2-23] [MQTT-4.1.0-2] the Session Expiry goes on from the disconnect, not from the restart",
  async ({ connect }) => {
    const clientId = unique("c");
    const client = await connect({ ...lasting(5, 4), clientId });
    await client.disconnect();
    return { clientId, left: Date.now() };
  },
  async ({ connect }, state) => {
    await sleep(Math.max(0, state.left + 4_600 - Date.now()));
    const back = await connect({ ...lasting(5, 4), clientId: state.clientId });
    expect(back.connack?.sessionPresent).toBe(false);
  },
  { onlyMess: true },
);

survives(
  "[MQTT-3.3.2-5] the Message Expiry Interval goes on while the server is down",
  async ({ connect }) => {
    const state = { clientId: unique("c"), topic: topic() };
    const reader = await connect({ ...lasting(5), clientId: state.clientId });
    await reader.subscribe({ filter: state.topic, qos: 1 });
    await reader.drop();
    const publisher = await connect();
    await publisher.publish({ topic: state.topic, payload: "short", qos: 1, properties: { messageExpiryInterval: 2 } });
    await publisher.publish({
      topic: state.topic,
      payload: "long",
      qos: 1,
      properties: { messageExpiryInterval: 100 },
    });
    return { ...state, sent: Date.now() };
  },
  async ({ connect }, state) => {
    await sleep(Math.max(0, state.sent + 3_100 - Date.now()));
    const back = await connect({ ...lasting(5), clientId: state.clientId });
    const message = await back.message();
    expect(message.payload.toString()).toBe("long");
    expect(message.properties.messageExpiryInterval).toBeLessThanOrEqual(97);
    await back.expectNothing(100);
  },
);

survives(
  "[MQTT-3.1.3-9] a will that waits for its delay is published after the restart",
  async ({ connect }) => {
    const state = { readerId: unique("c"), topic: topic() };
    const reader = await connect({ ...lasting(5), clientId: state.readerId });
    await reader.subscribe({ filter: state.topic, qos: 1 });
    await reader.drop();
    const client = await connect({
      clientId: unique("c"),
      cleanStart: false,
      properties: { sessionExpiryInterval: 60 },
      will: will(state.topic, "will", { qos: 1, properties: { willDelayInterval: 3 } }),
    });
    await client.drop();
    await sleep(100);
    return state;
  },
  async ({ connect }, state) => {
    const back = await connect({ ...lasting(5), clientId: state.readerId });
    expect((await back.message(10_000)).payload.toString()).toBe("will");
  },
  { onlyMess: true },
);

for (const how of ["SIGKILL", "SIGTERM"] as const) {
  describe(`after ${how} and a new start`, () => {
    let world: World | undefined;
    const states = new Map<string, { value?: unknown; error?: unknown }>();

    beforeAll(async () => {
      const server = await Server.start({ killed: true });
      const made: World = {
        server,
        connect: (options = {}) => RawClient.connect(server.mqtt, { clientId: unique("c"), ...options }),
      };
      world = made;
      await Promise.all(
        cases.map(async (each) => {
          try {
            states.set(each.title, { value: await each.before(made) });
          } catch (error) {
            states.set(each.title, { error });
          }
        }),
      );
      if (how === "SIGKILL") await server.kill();
      else await server.stop();
      await server.start();
    }, 60_000);

    afterAll(async () => {
      await world?.server.remove();
    });

    for (const each of cases) {
      it.concurrent(`${each.title}`, async () => {
        const state = states.get(each.title);
        if (world === undefined || state === undefined) throw new Error("the server did not come back");
        if (state.error !== undefined) throw state.error;
        await each.after(world, state.value);
      }, 30_000);
    }
  });
}
