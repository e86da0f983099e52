import { text } from "../test/support/bytes.ts";
import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { RawClient } from "../test/support/raw-client.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor } from "./support/moves.ts";

export const d05 = attack({
  id: "D5",
  title: "Validate input data rigorously",
  threat: "A size that nobody bounded is used to fill memory, to go deep, or to take long.",
  mitigation:
    "Every size has a limit in the configuration, and each has a test; what is larger is refused with its reason.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("each bound, and one more", bounds, { elsewhere: hasNone("has bounds of its own: the next step") }),
    atEachDoor("names of very many levels, very many filters, very many properties", excess),
  ],
});

interface Bound {
  readonly what: string;
  /** True when the broker takes a thing of this size. */
  readonly take: (arena: Arena, who: Principal, door: Arena["door"], size: number) => Promise<boolean>;
  readonly most: number;
}

const properties = (count: number, bytes: number): { userProperty: [string, string][] } => ({
  userProperty: Array.from({ length: count }, () => ["k", "v".repeat(bytes - 1)]),
});

async function publishes(client: RawClient, fields: Parameters<RawClient["publish"]>[0]): Promise<boolean> {
  const answer = await client.publish({ qos: 1, ...fields }).catch(() => undefined);
  return answer !== undefined && answer.code < 0x80;
}

const ofPublish =
  (fields: (who: Principal, size: number) => Parameters<RawClient["publish"]>[0]): Bound["take"] =>
  async (arena, who, door, size) =>
    publishes(await arena.connect(who, {}, door), fields(who, size));

/** A topic of `size` bytes in the tree of somebody. */
const long = (who: Principal, size: number): string => `${who.name}/`.padEnd(size, "x");

const all: readonly Bound[] = [
  { what: "bytes of a topic", most: 1_024, take: ofPublish((who, size) => ({ topic: long(who, size) })) },
  {
    what: "levels of a topic",
    most: 64,
    take: ofPublish((who, size) => ({ topic: [who.name, ...Array.from({ length: size - 1 }, () => "x")].join("/") })),
  },
  {
    what: "user properties",
    most: 32,
    take: ofPublish((who, size) => ({ topic: who.topic("x"), properties: properties(size, 2) })),
  },
  {
    what: "bytes of user properties",
    most: 4_096,
    take: ofPublish((who, size) => ({ topic: who.topic("x"), properties: properties(1, size) })),
  },
  {
    what: "bytes of a packet",
    most: 1_048_576,
    take: async (arena, who, door, size) => {
      const topic = who.topic("x");
      // fixed header 4, topic length 2, packet id 2, property length 1
      return publishes(await arena.connect(who, {}, door), { topic, payload: Buffer.alloc(size - 9 - topic.length) });
    },
  },
  {
    what: "bytes of a client id",
    most: 128,
    take: async (arena, who, door, size) => {
      const { connack } = await arena.attempt(who, { clientId: unique("c").padEnd(size, "x") }, door);
      return connack?.code === 0;
    },
  },
  {
    what: "topic alias",
    most: 64,
    take: ofPublish((who, size) => ({ topic: who.topic("x"), properties: { topicAlias: size } })),
  },
  {
    what: "filters of a packet",
    most: 1_000,
    take: async (arena, who, door, size) => {
      const client = await arena.connect(who, {}, door);
      const filters = Array.from({ length: size }, (_, index) => who.topic(String(index)));
      const suback = await client.subscribe(filters, { refusable: true }).catch(() => undefined);
      return suback?.codes.every((code) => code < 0x80) === true;
    },
  },
  {
    what: "bytes of a filter",
    most: 1_024,
    take: async (arena, who, door, size) => {
      const client = await arena.connect(who, {}, door);
      const suback = await client.subscribe(long(who, size), { refusable: true }).catch(() => undefined);
      return (suback?.codes[0] ?? 0x80) < 0x80;
    },
  },
  {
    what: "bytes of CONNECT",
    most: 16_384,
    take: async (arena, who, door, size) => {
      const clientId = unique("c");
      const will = { topic: who.topic("will"), payload: Buffer.alloc(0) };
      const fields = { clientId, ...who.credentials, version: 5 as const };
      const room = size - build.connect({ ...fields, will }).length - 1;
      const client = await arena.open(door);
      client.send(build.connect({ ...fields, will: { ...will, payload: Buffer.alloc(room) } }));
      return (await client.take("CONNACK").catch(() => undefined))?.code === 0;
    },
  },
];

async function bounds(arena: Arena, door: Arena["door"]): Promise<void> {
  const who = await arena.principal();
  for (const { what, take, most } of all) {
    if (!(await take(arena, who, door, most))) throw new Error(`${most} ${what} are refused`);
    hold(!(await take(arena, who, door, most + 1)), `${most + 1} ${what} are taken`);
  }
}

async function excess(arena: Arena, door: Arena["door"]): Promise<void> {
  const who = await arena.principal("everything");
  const { version } = arena.broker;
  const deep = `${"x/".repeat(32_000)}x`;
  const many = Buffer.concat(
    Array.from({ length: 100_000 }, (_, index) => Buffer.concat([text(`f${index}`), Buffer.from([0])])),
  );
  const packets = [
    build.publish({ version, topic: deep, payload: "x", qos: 1, retain: true }),
    build.subscribe({ version, filters: [deep, `${"+/".repeat(32_000)}#`] }),
    build.packet("SUBSCRIBE", 2, Buffer.from(version === 5 ? [0, 1, 0] : [0, 1]), many),
    build.unsubscribe({ version, filters: [deep] }),
  ];
  const seen = await arena.observe();
  for (const bytes of packets) {
    const client = await arena.connect(who, {}, door);
    client.send(bytes);
    await arena.unharmed();
    client.stream.destroy();
  }
  hold(seen.memoryGrowth() < 100, `it costs ${Math.round(seen.memoryGrowth())} MB`);
}
