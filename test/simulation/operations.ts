import type { DiskOperation, Persisted } from "../../packages/broker/src/host/simulated-faults.ts";
import { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { QoS } from "../../packages/wire/src/mqtt/packet.ts";
import type { ClientPlan, ConnectWish } from "./client.ts";

/** One thing that happens in a run, `after` microseconds after the one before. Any of them can be left out. */
export type Operation = { readonly after: number } & (
  | { readonly kind: "connect"; readonly client: number; readonly wish: ConnectWish }
  | { readonly kind: "disconnect" | "cut" | "vanish"; readonly client: number }
  | {
      readonly kind: "publish";
      readonly client: number;
      readonly topic: string;
      readonly qos: QoS;
      readonly retain: boolean;
      readonly size: number;
    }
  | {
      readonly kind: "subscribe";
      readonly client: number;
      readonly filter: string;
      readonly qos: QoS;
      readonly noLocal: boolean;
    }
  | { readonly kind: "unsubscribe"; readonly client: number; readonly filter: string }
  | { readonly kind: "stall" | "withhold"; readonly client: number; readonly milliseconds: number }
  | { readonly kind: "crash" | "kill" | "restart" }
  /** The machine stops at the n-th disk operation from now. */
  | {
      readonly kind: "stopAt";
      readonly nth: number;
      readonly how: "crash" | "kill";
      readonly when: "before" | "after";
    }
  | {
      readonly kind: "diskError";
      readonly operation: DiskOperation;
      readonly nth: number;
      readonly code: "EIO" | "ENOSPC";
      readonly persisted: Persisted;
    }
  | { readonly kind: "slowSync"; readonly milliseconds: number }
  | { readonly kind: "diskFull"; readonly milliseconds: number; readonly spare: number }
  | { readonly kind: "jump"; readonly milliseconds: number }
);

/** What a seed can switch on; each is off in half of the seeds, so that rare mixes come up ("swarm testing"). */
const features = [
  "crash",
  "kill",
  "restart",
  "stopAt",
  "diskError",
  "slowSync",
  "diskFull",
  "jump",
  "cut",
  "vanish",
  "takeover",
  "disconnect",
  "stall",
  "withhold",
  "will",
  "retain",
  "shared",
  "qos0",
  "qos2",
  "unsubscribe",
  "cleanStart",
  "shortExpiry",
  "large",
  "noLocal",
  "idle",
] as const;
export type Feature = (typeof features)[number];

export interface Plan {
  readonly seed: number;
  readonly features: readonly Feature[];
  readonly clients: readonly ClientPlan[];
  /** Bytes of a journal segment: small, so that a run goes through several. */
  readonly segmentBytes: number;
  readonly operations: readonly Operation[];
}

const topics = ["t/0", "t/1", "t/2", "t/3/deep"];
const filters = ["t/0", "t/1", "t/+", "t/#", "#", "r/+", "w/#", "t/3/+"];
const sharedFilters = ["$share/g/t/#", "$share/g/t/0", "$share/h/t/+"];

class Planner {
  readonly random: SeededRandom;
  readonly on: ReadonlySet<Feature>;
  readonly clients: ClientPlan[];

  constructor(random: SeededRandom) {
    this.random = random;
    this.on = new Set(features.filter(() => random.chance(0.5)));
    this.clients = Array.from({ length: random.between(2, 8) }, (_, index) => ({
      index,
      version: random.chance(0.6) ? 5 : 4,
      receiveMaximum: random.pick([1, 2, 5, 20, 65_535]),
      window: random.pick([1, 3, 10, 50]),
      keepAlive: random.pick([0, 0, 2, 10]),
    }));
  }

  qos(): QoS {
    const choices: QoS[] = [1, 1];
    if (this.on.has("qos0")) choices.push(0);
    if (this.on.has("qos2")) choices.push(2, 2);
    return this.random.pick(choices);
  }

  client(): number {
    return this.random.below(this.clients.length);
  }

  wish(client: number, first: boolean): ConnectWish {
    const { random, on } = this;
    const will = { topic: `w/${client}`, qos: this.qos(), retain: false, size: 20 };
    return {
      cleanStart: first || (on.has("cleanStart") && random.chance(0.3)),
      expiry: on.has("shortExpiry") ? random.pick([0, 2, 86_400]) : 86_400,
      will: on.has("will") && random.chance(0.5) ? will : undefined,
    };
  }

  /** QoS and options of a client's subscription stay the same all through, so that asking again changes nothing. */
  subscribe(client: number): Operation {
    const { random, on } = this;
    const filter = on.has("shared") && random.chance(0.3) ? random.pick(sharedFilters) : random.pick(filters);
    const own = new SeededRandom(client * 31 + filter.length * 7 + filter.charCodeAt(filter.length - 1));
    const qos = own.pick<QoS>([0, 1, 1, 2]);
    const noLocal =
      on.has("noLocal") && !filter.startsWith("$share") && own.chance(0.3) && this.clients[client]?.version === 5;
    return { after: 0, kind: "subscribe", client, filter, qos, noLocal };
  }

  publish(client: number): Operation {
    const { random, on } = this;
    const retain = on.has("retain") && random.chance(0.2);
    const size = on.has("large") && random.chance(0.05) ? random.between(1_000, 20_000) : random.between(16, 120);
    if (!retain)
      return { after: 0, kind: "publish", client, topic: random.pick(topics), qos: this.qos(), retain, size };
    // A retained topic has one publisher and one QoS: the order of its values is then known.
    const qos: QoS = client % 2 === 1 && on.has("qos2") ? 2 : 1;
    const topic = `r/${client}${random.pick(["a", "b"])}`;
    return { after: 0, kind: "publish", client, topic, qos, retain, size: random.chance(0.25) ? 0 : size };
  }

  ordinary(): Operation {
    const { random, on } = this;
    const client = this.client();
    const roll = random.below(100);
    if (roll < 70) return this.publish(client);
    if (roll < 80) return this.subscribe(client);
    if (roll < 83 && on.has("unsubscribe")) {
      return { after: 0, kind: "unsubscribe", client, filter: random.pick([...filters, ...sharedFilters]) };
    }
    if (roll < 86 && on.has("cut")) return { after: 0, kind: "cut", client };
    if (roll < 87 && on.has("vanish")) return { after: 0, kind: "vanish", client };
    if (roll < 90 && on.has("takeover")) return { after: 0, kind: "connect", client, wish: this.wish(client, false) };
    if (roll < 92 && on.has("disconnect")) return { after: 0, kind: "disconnect", client };
    if (roll < 95) return { after: 0, kind: "connect", client, wish: this.wish(client, false) };
    if (roll < 97 && on.has("stall")) return { after: 0, kind: "stall", client, milliseconds: random.between(1, 300) };
    if (roll < 99 && on.has("withhold"))
      return { after: 0, kind: "withhold", client, milliseconds: random.between(1, 400) };
    return this.publish(client);
  }

  /** Faults of the machine: each kind that is on, a few times, at random places. */
  faults(): Operation[] {
    const { random, on } = this;
    const faults: Operation[] = [];
    const add = (feature: Feature, most: number, make: () => Operation): void => {
      if (on.has(feature)) for (let n = random.between(1, most); n > 0; n--) faults.push(make());
    };
    add("crash", 2, () => ({ after: 0, kind: "crash" }));
    add("kill", 2, () => ({ after: 0, kind: "kill" }));
    add("restart", 1, () => ({ after: 0, kind: "restart" }));
    add("stopAt", 3, () => ({
      after: 0,
      kind: "stopAt",
      nth: random.between(1, 30),
      how: random.pick(["crash", "kill"] as const),
      when: random.pick(["before", "after"] as const),
    }));
    add("diskError", 2, () => ({
      after: 0,
      kind: "diskError",
      operation: random.pick(["write", "datasync", "create", "syncDirectory", "rename", "read", "open"] as const),
      nth: random.between(1, 20),
      code: random.pick(["EIO", "ENOSPC"] as const),
      persisted: random.pick(["none", "part", "all"] as const),
    }));
    add("slowSync", 2, () => ({ after: 0, kind: "slowSync", milliseconds: random.between(5, 500) }));
    add("diskFull", 1, () => ({
      after: 0,
      kind: "diskFull",
      milliseconds: random.between(20, 400),
      spare: random.pick([0, 1_000, 100_000]),
    }));
    add("jump", 2, () => ({
      after: 0,
      kind: "jump",
      milliseconds: random.pick([-3_600_000, -5_000, 5_000, 3_600_000]),
    }));
    return faults;
  }
}

/** The whole run of a seed, before anything runs. */
export function plan(seed: number): Plan {
  const random = new SeededRandom(seed);
  const planner = new Planner(random);
  const operations: Operation[] = [];
  for (const { index } of planner.clients) {
    operations.push({ after: 0, kind: "connect", client: index, wish: planner.wish(index, true) });
  }
  operations.push({ after: 5_000, kind: "jump", milliseconds: 0 });
  for (const { index } of planner.clients) if (random.chance(0.7)) operations.push(planner.subscribe(index));
  const wanted = random.pick([200, 200, 300, 400, 600, 1_000, 2_000]);
  while (operations.length < wanted) operations.push(planner.ordinary());
  const start = Math.min(30, operations.length);
  for (const fault of planner.faults()) operations.splice(random.between(start, operations.length), 0, fault);
  const gap = random.pick([100, 500, 2_000]);
  const spaced = operations.map((operation) => {
    const pause = random.chance(0.01) ? random.between(50_000, 400_000) : random.below(2 * gap);
    return { ...operation, after: operation.after + pause };
  });
  // Long enough for snapshots and for the dropping of dead segments, which happen every few seconds.
  if (planner.on.has("idle")) {
    for (let n = random.between(1, 2); n > 0; n--) {
      const at = random.below(spaced.length);
      const chosen = spaced[at] as Operation;
      spaced[at] = { ...chosen, after: chosen.after + random.between(5_000_000, 12_000_000) };
    }
  }
  const segmentBytes = random.pick([32_768, 65_536, 262_144]);
  return { seed, features: [...planner.on], clients: planner.clients, segmentBytes, operations: spaced };
}
