import type { Mark } from "./figures.ts";

/** What a flood of messages looks like. */
export interface FloodShape {
  readonly kind: "flood";
  readonly publishers: number;
  readonly subscribers: number;
  /**
   * each: every publisher has a topic, the topics are shared out over the subscribers. shared: one topic, all
   * subscribers. fanin: a topic for each publisher, every subscriber has all by `+`. wild: `filters` filters with `+`
   * and `#`, shared out; every message matches three, at three subscribers.
   */
  readonly topics: "each" | "shared" | "fanin" | "wild";
  readonly filters?: number;
  readonly qos: 0 | 1;
  /** Unacknowledged messages of one publisher at QoS 1. */
  readonly window: number;
  /** Messages published and not yet delivered, all together; 0 is no bound. */
  readonly lag: number;
  /** Subscribers keep their sessions: the broker has to store for them. */
  readonly persistent: boolean;
}

export interface BacklogShape {
  readonly kind: "backlog";
  readonly publishers: number;
  readonly window: number;
  readonly count: number;
}

export interface IdleShape {
  readonly kind: "idle";
  readonly connections: number;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** The broker is set up to store what it acknowledges, as far as it can. */
  readonly durable: boolean;
  readonly tls: boolean;
  readonly shape: FloodShape | BacklogShape | IdleShape;
}

export const payloadBytes = 64;

const flood: FloodShape = {
  kind: "flood",
  publishers: 1,
  subscribers: 1,
  topics: "each",
  qos: 0,
  window: 50,
  lag: 20_000,
  persistent: false,
};
const light = { durable: false, tls: false };
const durable = { durable: true, tls: false };

export const scenarios: readonly Scenario[] = [
  { name: "q0-1to1", about: "one publisher, one subscriber, QoS 0", ...light, shape: flood },
  {
    name: "q0-fanin",
    about: "50 publishers, one subscriber, QoS 0",
    ...light,
    shape: { ...flood, publishers: 50, topics: "fanin" },
  },
  {
    name: "q0-fanout",
    about: "one publisher, 100 subscribers, QoS 0",
    ...light,
    shape: { ...flood, subscribers: 100, topics: "shared", lag: 500 },
  },
  {
    name: "wildcard-10k",
    about: "10,000 filters with + and #, each message matches three",
    ...light,
    shape: { ...flood, publishers: 10, subscribers: 10, topics: "wild", filters: 10_000, lag: 5_000 },
  },
  {
    name: "q1-durable",
    about: "50 publishers with 50 under way each, 5 persistent subscribers, QoS 1",
    ...durable,
    shape: { ...flood, publishers: 50, subscribers: 5, qos: 1, persistent: true },
  },
  {
    name: "q1-window1",
    about: "one QoS 1 message at a time, one persistent subscriber",
    ...durable,
    shape: { ...flood, qos: 1, window: 1, lag: 0, persistent: true },
  },
  {
    name: "offline-backlog",
    about: "200,000 QoS 1 messages for a session that is away, then it comes back",
    ...durable,
    shape: { kind: "backlog", publishers: 10, window: 50, count: 200_000 },
  },
  { name: "tls-q0-1to1", about: "q0-1to1 over TLS", durable: false, tls: true, shape: flood },
  {
    name: "idle-10k",
    about: "memory for 10,000 connections that do nothing",
    ...light,
    shape: { kind: "idle", connections: 10_000 },
  },
];

/** What each publisher sends to and each subscriber asks for, and how many deliveries a message makes. */
export interface Layout {
  readonly topicsOf: readonly (readonly string[])[];
  readonly filtersOf: readonly (readonly string[])[];
  readonly deliveriesPerMessage: number;
}

export function layout(shape: FloodShape): Layout {
  const publishers = Array.from({ length: shape.publishers }, (_, index) => index);
  const subscribers = Array.from({ length: shape.subscribers }, (_, index) => index);
  switch (shape.topics) {
    case "each":
      return {
        topicsOf: publishers.map((index) => [`bench/each/${index}`]),
        filtersOf: subscribers.map((index) =>
          publishers
            .filter((publisher) => publisher % shape.subscribers === index)
            .map((publisher) => `bench/each/${publisher}`),
        ),
        deliveriesPerMessage: 1,
      };
    case "shared":
      return {
        topicsOf: publishers.map(() => ["bench/shared"]),
        filtersOf: subscribers.map(() => ["bench/shared"]),
        deliveriesPerMessage: shape.subscribers,
      };
    case "fanin":
      return {
        topicsOf: publishers.map((index) => [`bench/in/${index}`]),
        filtersOf: subscribers.map(() => ["bench/in/+"]),
        deliveriesPerMessage: shape.subscribers,
      };
    case "wild":
      return wildLayout(shape);
  }
}

/** Three filters a group, on three subscribers that follow one another. */
function wildLayout(shape: FloodShape): Layout {
  const groups = Math.floor((shape.filters ?? 3) / 3);
  const filtersOf: string[][] = Array.from({ length: shape.subscribers }, () => []);
  const topicsOf: string[][] = Array.from({ length: shape.publishers }, () => []);
  for (let group = 0; group < groups; group += 1) {
    const filters = [`bench/${group}/+/t`, `bench/${group}/s/#`, `+/${group}/s/+`];
    for (const [place, filter] of filters.entries()) filtersOf[(group + place) % shape.subscribers]?.push(filter);
    topicsOf[group % shape.publishers]?.push(`bench/${group}/s/t`);
  }
  return { topicsOf, filtersOf, deliveriesPerMessage: 3 };
}

/** The figures a scenario is about. */
export function marksOf({ name, shape }: Scenario): readonly Mark[] {
  if (shape.kind === "idle") return [{ name: "bytesPerConnection", isMoreBetter: false }];
  if (shape.kind === "backlog") {
    return [
      { name: "queuedPerSecond", isMoreBetter: true },
      { name: "drainedPerSecond", isMoreBetter: true },
    ];
  }
  if (name === "q1-window1") return [{ name: "acknowledgementP50", isMoreBetter: false }];
  return [{ name: "receivedPerSecond", isMoreBetter: true }];
}
