/**
 * Kills a server again and again under load and keeps the books: what was acknowledged, what arrived, in which
 * order (RELIABILITY section 5). It lives outside the server and knows only MQTT.
 */
import { describePacket, type Packet } from "../support/decoder.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import type { Server } from "../support/server.ts";
import { sleep, unique } from "../support/suite.ts";

export interface TortureOptions {
  readonly cycles: number;
  readonly seed: number;
  /** How long a cycle may run before it is killed, milliseconds. */
  readonly shortest?: number;
  readonly longest?: number;
  readonly publishers?: number;
}

export interface TortureReport {
  readonly seed: number;
  readonly kills: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly received: number;
  /** Acknowledged and never received, by any subscriber that should have. */
  readonly lost: readonly string[];
  /** QoS 2 messages that a QoS 2 subscriber got twice. */
  readonly duplicates: readonly string[];
  /** First deliveries that came out of the order of their publisher. */
  readonly disordered: readonly string[];
  /** Received and never sent. */
  readonly unexpected: readonly string[];
}

interface Open {
  readonly id: number;
  readonly number: number;
  released: boolean;
}

/** A small generator with a seed, so that a run can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const window = 10;
const session = { version: 5 as const, cleanStart: false, properties: { sessionExpiryInterval: 86_400 } };

/** A publisher that resends what is open after each reconnect, as the standard wants it of a client. */
class Publisher {
  readonly name: string;
  readonly qos: 1 | 2;
  readonly topic: string;
  readonly acknowledged: Set<number> = new Set();
  sent = 0;
  readonly #clientId: string;
  #open: Open[] = [];
  #nextId = 0;

  constructor(name: string, qos: 1 | 2, topic: string) {
    this.name = name;
    this.qos = qos;
    this.topic = topic;
    this.#clientId = unique("tp");
  }

  get outstanding(): number {
    return this.#open.length;
  }

  /** Runs on one connection until it breaks, or until nothing is open once `stop` says so. */
  async run(server: Server, stop: () => boolean): Promise<void> {
    const client = await RawClient.connect(server.mqtt, { ...session, clientId: this.#clientId });
    try {
      for (const each of this.#open)
        client.send(each.released ? build.ack("PUBREL", each.id) : this.#packet(each, true));
      for (;;) {
        while (!stop() && this.#open.length < window) this.#sendNew(client);
        if (this.#open.length === 0) break;
        this.#answer(client, await client.next(() => true, 15_000));
      }
      await client.disconnect();
    } finally {
      if (!client.isClosed) client.stream.destroy();
    }
  }

  #sendNew(client: RawClient): void {
    do this.#nextId = (this.#nextId % 65_535) + 1;
    while (this.#open.some((each) => each.id === this.#nextId));
    const open: Open = { id: this.#nextId, number: this.sent, released: false };
    this.sent += 1;
    this.#open.push(open);
    client.send(this.#packet(open, false));
  }

  #packet(open: Open, dup: boolean): Buffer {
    return build.publish({
      topic: this.topic,
      payload: `${this.name} ${open.number}`,
      qos: this.qos,
      id: open.id,
      dup,
    });
  }

  #answer(client: RawClient, packet: Packet): void {
    const open = this.#open.find((each) => each.id === packet.id);
    if (open === undefined) throw new Error(`${this.name}: ${describePacket(packet)} answers nothing`);
    if (packet.code >= 0x80 && !(packet.name === "PUBCOMP" && packet.code === 0x92))
      throw new Error(`${this.name}: ${describePacket(packet)}`);
    if (packet.name === "PUBREC") {
      open.released = true;
      client.send(build.ack("PUBREL", packet.id));
      return;
    }
    this.acknowledged.add(open.number);
    this.#open = this.#open.filter((each) => each !== open);
  }
}

/** A subscriber with a lasting session; of a QoS 2 delivery it keeps the id until PUBREL, as the standard wants. */
class Subscriber {
  readonly name: string;
  readonly qos: 1 | 2;
  /** Everything taken over, in order, with the QoS of the delivery. */
  readonly log: { readonly text: string; readonly qos: number }[] = [];
  readonly #clientId: string;
  readonly #filter: string;
  readonly #unreleased: Set<number> = new Set();

  constructor(name: string, qos: 1 | 2, filter: string) {
    this.name = name;
    this.qos = qos;
    this.#filter = filter;
    this.#clientId = unique("ts");
  }

  async subscribe(server: Server): Promise<void> {
    const client = await RawClient.connect(server.mqtt, { ...session, clientId: this.#clientId });
    await client.subscribe({ filter: this.#filter, qos: this.qos });
    await client.disconnect();
  }

  async run(server: Server, stop: () => boolean): Promise<void> {
    const client = await RawClient.connect(server.mqtt, { ...session, clientId: this.#clientId });
    if (client.connack?.sessionPresent !== true) throw new Error(`${this.name}: the session is gone`);
    try {
      while (!stop()) {
        const packet = await client
          .next(() => true, 250)
          .catch((error: unknown) => {
            if (client.isClosed) throw error;
            return undefined;
          });
        if (packet !== undefined) this.#take(client, packet);
      }
      await client.disconnect();
    } finally {
      if (!client.isClosed) client.stream.destroy();
    }
  }

  #take(client: RawClient, packet: Packet): void {
    if (packet.name === "PUBREL") {
      this.#unreleased.delete(packet.id);
      client.send(build.ack("PUBCOMP", packet.id));
      return;
    }
    if (packet.name !== "PUBLISH") throw new Error(`${this.name}: ${describePacket(packet)}`);
    if (packet.qos === 2) {
      const isNew = !this.#unreleased.has(packet.id);
      this.#unreleased.add(packet.id);
      if (isNew) this.log.push({ text: packet.payload.toString(), qos: 2 });
      client.send(build.ack("PUBREC", packet.id));
      return;
    }
    this.log.push({ text: packet.payload.toString(), qos: packet.qos });
    client.send(build.ack("PUBACK", packet.id));
  }
}

/** Starts anew after each broken connection until `stop` ends it in the ordinary way; other errors are kept. */
async function persist(
  what: (stop: () => boolean) => Promise<void>,
  stop: () => boolean,
  errors: Error[],
): Promise<void> {
  for (;;) {
    try {
      await what(stop);
      return;
    } catch (error) {
      const { message } = error as Error;
      const broken = /closed|ECONN|EPIPE|CONNACK|inside a packet|socket/.test(message);
      if (!broken) {
        errors.push(error as Error);
        return;
      }
      await sleep(20);
    }
  }
}

export interface Sent {
  readonly name: string;
  readonly qos: 1 | 2;
  readonly sent: number;
  readonly acknowledged: ReadonlySet<number>;
}

export interface Received {
  readonly name: string;
  readonly log: readonly { readonly text: string; readonly qos: number }[];
}

/** Compares what was sent and acknowledged with what was received. */
export function judge(
  publishers: readonly Sent[],
  subscribers: readonly Received[],
): Pick<TortureReport, "lost" | "duplicates" | "disordered" | "unexpected"> {
  const lost: string[] = [];
  const duplicates: string[] = [];
  const disordered: string[] = [];
  const unexpected: string[] = [];
  for (const subscriber of subscribers) {
    const seen = new Map<string, Set<number>>(publishers.map((publisher) => [publisher.name, new Set()]));
    const last = new Map<string, number>();
    for (const { text, qos } of subscriber.log) {
      const [name = "", digits = ""] = text.split(" ");
      const number = Number(digits);
      const publisher = publishers.find((each) => each.name === name);
      const numbers = seen.get(name);
      if (publisher === undefined || numbers === undefined || !(number < publisher.sent)) {
        unexpected.push(`${subscriber.name}: ${text}`);
        continue;
      }
      if (numbers.has(number)) {
        if (publisher.qos === 2 && qos === 2) duplicates.push(`${subscriber.name}: ${text}`);
        continue;
      }
      if (number < (last.get(name) ?? -1)) disordered.push(`${subscriber.name}: ${text} after ${last.get(name)}`);
      last.set(name, number);
      numbers.add(number);
    }
    for (const publisher of publishers) {
      for (const number of publisher.acknowledged) {
        if (seen.get(publisher.name)?.has(number) !== true)
          lost.push(`${subscriber.name}: ${publisher.name} ${number}`);
      }
    }
  }
  return { lost, duplicates, disordered, unexpected };
}

export async function torture(server: Server, options: TortureOptions): Promise<TortureReport> {
  const random = generator(options.seed);
  const base = `torture/${unique()}`;
  const publishers = Array.from({ length: options.publishers ?? 8 }, (_, index) => {
    return new Publisher(`p${index}`, index % 2 === 0 ? 1 : 2, `${base}/${index}`);
  });
  const subscribers = [new Subscriber("s1", 1, `${base}/#`), new Subscriber("s2", 2, `${base}/#`)];
  for (const subscriber of subscribers) await subscriber.subscribe(server);
  const errors: Error[] = [];
  let isLoadOver = false;
  let isDrained = false;
  const publishing = publishers.map((each) =>
    persist(
      (stop) => each.run(server, stop),
      () => isLoadOver,
      errors,
    ),
  );
  const subscribing = subscribers.map((each) =>
    persist(
      (stop) => each.run(server, stop),
      () => isDrained,
      errors,
    ),
  );
  const shortest = options.shortest ?? 50;
  const longest = options.longest ?? 500;
  let kills = 0;
  for (; kills < options.cycles && errors.length === 0; kills += 1) {
    await sleep(shortest + random() * (longest - shortest));
    await server.kill();
    await server.start();
  }
  isLoadOver = true;
  await Promise.all(publishing);
  await drained(subscribers);
  isDrained = true;
  await Promise.all(subscribing);
  if (errors[0] !== undefined) throw errors[0];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    seed: options.seed,
    kills,
    sent: sum(publishers.map((each) => each.sent)),
    acknowledged: sum(publishers.map((each) => each.acknowledged.size)),
    received: sum(subscribers.map((each) => each.log.length)),
    ...judge(publishers, subscribers),
  };
}

/** Waits until nothing has come for a while. */
async function drained(subscribers: readonly Subscriber[]): Promise<void> {
  const total = (): number => subscribers.reduce((sum, each) => sum + each.log.length, 0);
  let before = -1;
  while (before !== total()) {
    before = total();
    await sleep(1_500);
  }
}
