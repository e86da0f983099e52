import { delay } from "./clock.ts";
import { Link, type Target } from "./link.ts";
import { publishTemplate } from "./packets.ts";
import { Publisher } from "./publisher.ts";
import { Subscriber } from "./subscriber.ts";

export interface QueueOptions {
  readonly publishers: number;
  /** Unacknowledged messages of one publisher. */
  readonly window: number;
  /** In all; a multiple of the publishers. */
  readonly count: number;
  readonly payloadBytes: number;
}

export interface DrainFigures {
  readonly sessionPresent: boolean;
  readonly received: number;
  readonly lost: number;
  /** Came again, or behind a later one of the same publisher. */
  readonly repeated: number;
  /** From CONNECT to the last message. */
  readonly seconds: number;
}

const clientId = "bench-away";
/** Nothing came for this long: nothing more will. */
const quietMs = 5_000;

/** Makes a persistent session with one subscription and leaves it. */
export async function leaveSession(target: Target): Promise<void> {
  const link = await Link.open({ target, clientId, cleanSession: false, keepAlive: 60 });
  await link.subscribe(["bench/backlog/+"], 1);
  await link.close();
}

/** Publishes for the session that is away. Resolves when all is acknowledged, with the seconds that took. */
export async function queueBacklog(target: Target, options: QueueOptions): Promise<number> {
  const perPublisher = options.count / options.publishers;
  if (!Number.isInteger(perPublisher)) throw new Error("the count must be a multiple of the publishers");
  const links = await Promise.all(
    Array.from({ length: options.publishers }, (_, index) =>
      Link.open({ target, clientId: `bench-p${index}`, cleanSession: true, keepAlive: 60 }),
    ),
  );
  const began = performance.now();
  await Promise.all(links.map((link, index) => publishAll(link, index, { ...options, count: perPublisher })));
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all(links.map((link) => link.close()));
  return seconds;
}

function publishAll(link: Link, index: number, options: QueueOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    link.onLost = reject;
    let open = options.count;
    const publisher = new Publisher(link, {
      index,
      templates: [publishTemplate(`bench/backlog/${index}`, 1, options.payloadBytes)],
      qos: 1,
      window: options.window,
      count: options.count,
      room: () => Number.MAX_SAFE_INTEGER,
      onProgress: (_sent, acknowledged) => {
        open -= acknowledged;
        if (open === 0) resolve();
      },
    });
    publisher.pump();
  });
}

/** The session comes back and takes all. Resolves when all have come or nothing more does. */
export async function drainBacklog(target: Target, options: QueueOptions): Promise<DrainFigures> {
  const began = performance.now();
  let subscriber: Subscriber | undefined;
  let received = 0;
  let lastAt = began;
  const onOpen = (link: Link): void => {
    const onProgress = (more: number): void => {
      received += more;
      lastAt = performance.now();
    };
    subscriber = new Subscriber(link, { publishers: options.publishers, qos: 1, checkOrder: true, onProgress });
  };
  const link = await Link.open({ target, clientId, cleanSession: false, keepAlive: 60, onOpen });
  let lostLink: Error | undefined;
  link.onLost = (error): void => {
    lostLink = error;
  };
  while (received < options.count && performance.now() - lastAt < quietMs && lostLink === undefined) await delay(5);
  if (lostLink !== undefined) throw lostLink;
  await link.close();
  const repeated = subscriber?.repeated ?? 0;
  return {
    sessionPresent: link.sessionPresent,
    received,
    lost: options.count - (received - repeated),
    repeated,
    seconds: (lastAt - began) / 1_000,
  };
}
