import { sleep, unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { RawClient } from "../test/support/raw-client.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";

/** Messages a second that a principal may publish; ten times that is tried. */
const limit = 100;
const unlimited = lacks("has no limit of rates by default: one client may send as fast as it can");

export const d06 = attack({
  id: "D6",
  title: "Implement rate limiting",
  threat: "One client, or the clients of one principal, send more than their share, and the others pay for it.",
  mitigation:
    "Token buckets in messages and bytes for each client, principal, address and topic tree: 0x97 or 429 where a publish can be refused, and where it cannot its connection waits. Nothing is acknowledged and dropped.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "ten times the limit: MQTT 5.0; MQTT 3.1.1 and QoS 0, which cannot be refused; HTTP",
      run: tooMuch,
      elsewhere: unlimited,
    },
    { name: "ten times the rate of a topic, by many principals", run: topicRate, elsewhere: unlimited },
  ],
});

/** All at once: each principal has a bucket of its own. */
async function tooMuch(outer: Arena): Promise<void> {
  const arena = await outer.own({ env: { MESS_LIMITS__PRINCIPAL_MESSAGES_PER_SECOND_MAX: String(limit) } });
  await arena.watch();
  await Promise.all([flood(arena), unrefusable(arena), overHttp(arena)]);
  await arena.unharmed();
}

/** Over `seconds` no more than the limit, and the second's worth that may come at once; a third more for the clocks. */
function most(seconds: number): number {
  return Math.ceil(limit * (seconds + 1) * 1.33);
}

const seconds = 3;

/** Publishes at QoS 1 as fast as it can for a while; how many were taken and how many refused. */
async function fast(client: RawClient, topic: string): Promise<{ taken: number; refused: number }> {
  const until = performance.now() + seconds * 1_000;
  const count = { taken: 0, refused: 0 };
  const one = async (): Promise<void> => {
    while (performance.now() < until && !client.isClosed) {
      const answer = await client.publish({ topic, payload: "x", qos: 1 }).catch(() => undefined);
      if (answer === undefined) return;
      if (answer.code < 0x80) count.taken += 1;
      else if (answer.code === 0x97) count.refused += 1;
      else throw new Error(`a publish is answered ${answer.code}`);
    }
  };
  await Promise.all(Array.from({ length: 10 }, one));
  return count;
}

async function flood(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const began = performance.now();
  const sums = await Promise.all(
    arena.doors.map(async (door) => fast(await arena.connect(owner, {}, door), owner.topic("x"))),
  );
  const taken = sums.reduce((sum, count) => sum + count.taken, 0);
  const refused = sums.reduce((sum, count) => sum + count.refused, 0);
  const bound = most((performance.now() - began) / 1_000);
  hold(taken <= bound, `${taken} are taken where ${bound} may be`);
  if (refused === 0) throw new Error(`nothing was refused of ${taken}: it was no flood`);
  if (taken < limit) throw new Error(`only ${taken} were taken`);
}

async function unrefusable(arena: Arena): Promise<void> {
  const ways = [
    [4, 1],
    [4, 0],
    [5, 0],
  ] as const;
  await Promise.all(arena.doors.flatMap((door) => ways.map(([version, qos]) => wait(arena, { door, version, qos }))));
}

interface Way {
  readonly door: Door;
  readonly version: 4 | 5;
  readonly qos: 0 | 1;
}

/** Everything that was sent comes, in the time that the limit says. */
async function wait(arena: Arena, { door, version, qos }: Way): Promise<void> {
  const owner = await arena.principal();
  const topic = owner.topic(unique("x"));
  const watcher = await arena.connect(owner, {}, door);
  watcher.autoAck = true;
  await watcher.subscribe({ filter: topic, qos });
  const client = await arena.connect(owner, { version }, door);
  const count = limit * 3;
  const began = performance.now();
  for (let sent = 1; sent <= count; sent += 1) {
    // a packet each, as a client sends them
    client.send(build.publish({ version, topic, payload: "x", qos, id: sent }));
    if (sent % 50 === 0) await sleep(1);
  }
  await watcher.messages(count, 8_000);
  const took = (performance.now() - began) / 1_000;
  // the first second's worth comes at once, and what was read at a time is taken into debt
  hold(
    took > 0.5,
    `${door.name}: ${count} of ${version === 4 ? "3.1.1" : "5.0"}, QoS ${qos}, come in ${took.toFixed(2)} s`,
  );
}

/** In batches, which come whole and are paid for after. */
async function overHttp(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const lines = 50;
  const text = `${JSON.stringify({ topic: owner.topic("x"), payload: "x" })}\n`.repeat(lines);
  const headers = { "content-type": "application/x-ndjson" };
  const began = performance.now();
  let taken = 0;
  let refused = 0;
  for (let sent = 0; sent < 40; sent += 1) {
    const { status, headers: told } = await arena.ask(owner, "/v1/batch", { method: "POST", text, headers });
    if (status === 201) taken += lines;
    else if (status !== 429) throw new Error(`a batch is answered ${status}`);
    else {
      refused += 1;
      hold(Number(told["retry-after"]) >= 1, "429 does not say when to come again");
    }
  }
  const bound = most((performance.now() - began) / 1_000) + lines;
  hold(taken <= bound, `${taken} are taken where ${bound} may be`);
  if (refused === 0) throw new Error("nothing was refused");
}

async function topicRate(arena: Arena): Promise<void> {
  const owner = await arena.principal("everything");
  const topic = owner.topic("x");
  const path = `/v1/topics/${encodeURIComponent(owner.topic("#"))}`;
  const rate = { messages: `${limit}/s` };
  const declared = await arena.ask(owner, path, { method: "PUT", body: { rate } });
  if (declared.status !== 201) throw new Error(`not declared: ${declared.status} ${declared.text}`);
  const principals: Principal[] = [];
  for (let count = 0; count < 3; count += 1) principals.push(await arena.principal("everything"));
  const began = performance.now();
  const sums = await Promise.all(principals.map(async (who) => fast(await arena.connect(who), topic)));
  const taken = sums.reduce((sum, count) => sum + count.taken, 0);
  const bound = most((performance.now() - began) / 1_000);
  hold(taken <= bound, `${taken} are taken by a topic that may take ${bound}`);
  await arena.unharmed();
}
