/** The same question through every door: random rights, random topics, and one verdict from all. */
import { sleep, unique } from "../../test/support/names.ts";
import type { Arena, Principal, Rights } from "./arena.ts";
import { hold } from "./attack.ts";
import { randomOf } from "./random.ts";

type Asked = "publish" | "retain" | "will" | "subscribe" | "share";

export interface Compared {
  readonly actions: readonly Asked[];
  readonly seed: number;
}

interface Version {
  readonly version: 4 | 5;
  /** Index in the doors of the arena. */
  readonly door: number;
}

type Ask = (arena: Arena, who: Principal, topic: string) => Promise<boolean>;
type AskMqtt = (arena: Arena, who: Principal, topic: string, how: Version) => Promise<boolean>;

const mqttDoors: Readonly<Record<string, Version>> = {
  "MQTT 3.1.1": { version: 4, door: 0 },
  "MQTT 5.0": { version: 5, door: 0 },
  "WebSocket 3.1.1": { version: 4, door: 1 },
  "WebSocket 5.0": { version: 5, door: 1 },
};

const overMqtt: Readonly<Record<Asked, AskMqtt>> = {
  publish: (arena, who, topic, how) => published(arena, who, { topic, retain: false }, how),
  retain: (arena, who, topic, how) => published(arena, who, { topic, retain: true }, how),
  will: async (arena, who, topic, { version, door }) => {
    const will = { topic, payload: "x" };
    const { client, connack } = await arena.attempt(who, { version, will }, arena.doors[door]);
    if (connack?.code === 0) await client.disconnect();
    return connack?.code === 0;
  },
  subscribe: (arena, who, topic, how) => granted(arena, who, topic, how),
  share: (arena, who, topic, how) => granted(arena, who, `$share/g/${topic}`, how),
};

const overHttp: Readonly<Partial<Record<Asked, Ask>>> = {
  publish: async (arena, who, topic) => {
    const path = `/v1/messages?topic=${encodeURIComponent(topic)}`;
    return (await arena.ask(who, path, { method: "POST", body: "x" })).status === 201;
  },
  retain: async (arena, who, topic) => {
    const path = `/v1/messages?retain=true&topic=${encodeURIComponent(topic)}`;
    return (await arena.ask(who, path, { method: "POST", body: "x" })).status === 201;
  },
  subscribe: async (arena, who, filter) => {
    return (await arena.statusOf(who, `/v1/events?filter=${encodeURIComponent(filter)}`)) === 200;
  },
};

const pauseMs = 1_500;

export async function sameVerdicts(arena: Arena, { actions, seed }: Compared): Promise<void> {
  const random = randomOf(seed);
  const principals = arena.full ? 40 : 5;
  const topicsEach = arena.full ? 25 : 3;
  const count = { yes: 0, no: 0 };
  for (let index = 0; index < principals; index += 1) {
    const levels = [unique("l"), unique("l"), "x"];
    const rights = randomRights(random, levels, actions);
    const who = await arena.principalWith(rights);
    // an address may open 200 connections a second
    if (arena.full) await sleep(pauseMs);
    for (let asked = 0; asked < topicsEach; asked += 1) {
      const topic = randomTopic(random, levels);
      for (const action of actions) {
        const verdicts = await verdictsOf(arena, who, topic, action);
        const all = Object.entries(verdicts).map(([door, verdict]) => `${door}: ${verdict}`);
        hold(
          new Set(Object.values(verdicts)).size === 1,
          `${action} ${topic} with ${JSON.stringify(rights)}: ${all.join(", ")}`,
        );
        count[Object.values(verdicts)[0] === true ? "yes" : "no"] += 1;
      }
    }
  }
  if (count.yes === 0 || count.no === 0) throw new Error(`${count.yes} allowed, ${count.no} refused: nothing is shown`);
}

async function verdictsOf(
  arena: Arena,
  who: Principal,
  topic: string,
  action: Asked,
): Promise<Readonly<Record<string, boolean>>> {
  const found = await Promise.all([
    ...Object.entries(mqttDoors).map(async ([name, how]) => [name, await overMqtt[action](arena, who, topic, how)]),
    ...[overHttp[action]].flatMap((ask) =>
      ask === undefined ? [] : [ask(arena, who, topic).then((said) => ["HTTP", said])],
    ),
  ]);
  return Object.fromEntries(found) as Record<string, boolean>;
}

async function published(
  arena: Arena,
  who: Principal,
  message: { topic: string; retain: boolean },
  { version, door }: Version,
): Promise<boolean> {
  const client = await arena.connect(who, { version }, arena.doors[door]);
  const answer = await client.publish({ ...message, payload: "x", qos: 1 }).catch(() => undefined);
  client.stream.destroy();
  return answer !== undefined && answer.code < 0x80;
}

async function granted(arena: Arena, who: Principal, filter: string, { version, door }: Version): Promise<boolean> {
  const client = await arena.connect(who, { version }, arena.doors[door]);
  const { codes } = await client.subscribe({ filter, qos: 1 }, { refusable: true });
  client.stream.destroy();
  return (codes[0] ?? 0x80) < 0x80;
}

function randomTopic(random: () => number, levels: readonly string[]): string {
  const length = 1 + Math.floor(random() * 3);
  return Array.from({ length }, () => levels[Math.floor(random() * levels.length)]).join("/");
}

function randomRights(random: () => number, levels: readonly string[], actions: readonly Asked[]): Rights {
  const filter = (): string => {
    const level = (): string => (random() < 0.3 ? "+" : (levels[Math.floor(random() * levels.length)] ?? "x"));
    const body = Array.from({ length: 1 + Math.floor(random() * 2) }, level).join("/");
    return random() < 0.6 ? `${body}/#` : body;
  };
  // what an action needs beside itself is granted as widely, so that the action itself decides
  const base = { publish: "#", subscribe: "#" };
  const needsBase = !actions.includes("publish") && !actions.includes("subscribe");
  const grants = (count: number): Record<string, string>[] =>
    Array.from({ length: count }, () => Object.fromEntries(actions.map((action) => [action, filter()])));
  return { allow: [...grants(3), ...(needsBase ? [base] : [])], deny: grants(1) };
}
