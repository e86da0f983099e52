import type { RawClient } from "../test/support/raw-client.ts";
import { unique } from "../test/support/suite.ts";
import type { Arena, Principal, Rights } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { randomOf } from "./support/random.ts";

export const a17 = attack({
  id: "A17",
  title: "Consumer: access by another protocol",
  threat: "What one protocol refuses another gives: each door has its own idea of a right, or forgets to ask.",
  mitigation: "One `authorize()` for every door and path; a door knows no rights of its own.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "the same right asked for through MQTT 3.1.1, MQTT 5.0, WebSocket and HTTP",
      run: sameVerdicts,
      elsewhere: lacks("there are no rights by default: every door gives everything"),
    },
  ],
});

type Verdict = "yes" | "no";
type Ask = (who: Principal, topic: string) => Promise<Verdict>;

async function sameVerdicts(arena: Arena): Promise<void> {
  const random = randomOf(17);
  const principals = arena.full ? 40 : 6;
  const topicsEach = arena.full ? 25 : 4;
  let allowed = 0;
  let refused = 0;
  for (let count = 0; count < principals; count += 1) {
    const levels = [unique("l"), unique("l"), "x"];
    const rights = randomRights(random, levels);
    const who = await arena.principalWith(rights);
    for (let index = 0; index < topicsEach; index += 1) {
      const topic = randomTopic(random, levels);
      for (const [action, asks] of Object.entries({ publish: publishing(arena), subscribe: subscribing(arena) })) {
        const verdicts = await Promise.all(
          Object.entries(asks).map(async ([name, ask]) => [name, await ask(who, topic)]),
        );
        const said = new Set(verdicts.map(([, verdict]) => verdict));
        const told = `${action} ${topic} with ${JSON.stringify(rights)}: ${verdicts.map((pair) => pair.join(" ")).join(", ")}`;
        hold(said.size === 1, told);
        if (said.has("yes")) allowed += 1;
        else refused += 1;
      }
    }
  }
  if (allowed === 0 || refused === 0) throw new Error(`${allowed} allowed, ${refused} refused: nothing is compared`);
}

function publishing(arena: Arena): Readonly<Record<string, Ask>> {
  const byMqtt =
    (version: 4 | 5, door: number): Ask =>
    async (who, topic) => {
      const client = await connected(arena, who, version, door);
      const answer = await client.publish({ topic, payload: "x", qos: 1 }).catch(() => undefined);
      return answer !== undefined && answer.code < 0x80 ? "yes" : "no";
    };
  const byHttp: Ask = async (who, topic) => {
    const path = `/v1/messages?topic=${encodeURIComponent(topic)}`;
    const { status } = await arena.ask(who, path, { method: "POST", body: "x" });
    return status === 201 ? "yes" : "no";
  };
  return {
    "MQTT 3.1.1": byMqtt(4, 0),
    "MQTT 5.0": byMqtt(5, 0),
    WebSocket: byMqtt(5, 1),
    "WebSocket 3.1.1": byMqtt(4, 1),
    HTTP: byHttp,
  };
}

function subscribing(arena: Arena): Readonly<Record<string, Ask>> {
  const byMqtt =
    (version: 4 | 5, door: number): Ask =>
    async (who, filter) => {
      const client = await connected(arena, who, version, door);
      const { codes } = await client.subscribe({ filter, qos: 1 }, { refusable: true });
      return (codes[0] ?? 0x80) < 0x80 ? "yes" : "no";
    };
  const byHttp: Ask = async (who, filter) => {
    const status = await arena.statusOf(who, `/v1/events?filter=${encodeURIComponent(filter)}`);
    return status === 200 ? "yes" : "no";
  };
  return {
    "MQTT 3.1.1": byMqtt(4, 0),
    "MQTT 5.0": byMqtt(5, 0),
    WebSocket: byMqtt(5, 1),
    "WebSocket 3.1.1": byMqtt(4, 1),
    "server-sent events": byHttp,
  };
}

function connected(arena: Arena, who: Principal, version: 4 | 5, door: number): Promise<RawClient> {
  return arena.connect(who, { version }, arena.broker.doors[door]);
}

function randomTopic(random: () => number, levels: readonly string[]): string {
  const length = 1 + Math.floor(random() * 3);
  return Array.from({ length }, () => levels[Math.floor(random() * levels.length)]).join("/");
}

function randomRights(random: () => number, levels: readonly string[]): Rights {
  const filter = (): string => {
    const level = (): string => (random() < 0.3 ? "+" : (levels[Math.floor(random() * levels.length)] ?? "x"));
    const body = Array.from({ length: 1 + Math.floor(random() * 2) }, level).join("/");
    return random() < 0.5 ? `${body}/#` : body;
  };
  const grants = (count: number): { publish: string; subscribe: string }[] =>
    Array.from({ length: count }, () => ({ publish: filter(), subscribe: filter() }));
  return { allow: grants(3), deny: grants(1) };
}
