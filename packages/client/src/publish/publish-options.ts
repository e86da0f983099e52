import type { Properties, UserProperties } from "@mess/wire";
import { type Duration, milliseconds } from "../duration.ts";
import { MessError } from "../mess-error.ts";
import { type TraceContext, type TraceProvider, traceProperties } from "../trace.ts";
import type { World } from "../world.ts";

/** What a publish may say besides topic and payload. */
export interface PublishOptions {
  /**
   * `persisted` (default): resolves when the broker has it on disk. `sent`: resolves when the bytes were handed to the
   * connection; it may be lost, and is not repeated.
   */
  readonly durability?: "persisted" | "sent";
  /**
   * Makes the publish idempotent: of several with the same id, by the same principal, within the broker's window (two
   * minutes by default), one is stored. By default the client gives each message one of its own, so that what it sends
   * again after a lost connection is not doubled. `false`: none.
   */
  readonly id?: string | false;
  /** Ordering key: subscriptions ordered by key deliver one message of a key at a time. */
  readonly key?: string;
  /** 9 goes first, 0 last; 4 when none is given. For subscriptions with priorities. */
  readonly priority?: number;
  /** Delivered so much later, also across restarts. Not with `at`. */
  readonly delay?: Duration;
  /** Delivered at that time. */
  readonly at?: Date | string | number;
  /** Not delivered after that time. Counts while the message waits in this client too. */
  readonly expiresIn?: Duration;
  /** Kept as the last value of the topic, for subscriptions that come later. */
  readonly retain?: boolean;
  /** User properties. Names that begin with `mess-` are the broker's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Set by the codec otherwise. */
  readonly contentType?: string;
  /** Until it has resolved, waiting for a connection included; `publishTimeout` of `connect` by default. */
  readonly timeout?: Duration;
  /** What happens when the broker refuses because a quota is reached: `reject` (default), or `retry` until the timeout. A retried message loses its place in the order. */
  readonly onQuota?: "reject" | "retry";
  readonly signal?: AbortSignal;
  /** In place of what the tracing provider says; `message.trace` carries a trace on. */
  readonly trace?: TraceContext;
}

/** What the broker promised. */
export interface Receipt {
  /** Place in the journal's order: of the first one, when this was a repeat. Undefined at `sent`, and with other brokers. */
  readonly offset: number | undefined;
  /** The id was stored before: this one was not stored again. */
  readonly duplicate: boolean;
  /** `persisted`: on the broker's disk. */
  readonly durability: "persisted" | "sent";
  /** The id it was published with. */
  readonly id: string | undefined;
  /** False when the broker says that nobody subscribes to the topic. */
  readonly subscribed: boolean;
}

/** Properties of one publish; times are monotonic milliseconds. */
export interface PublishHeaders {
  readonly fixed: Properties;
  readonly userProperties: UserProperties;
  readonly id: string | undefined;
  readonly dueAt: number | undefined;
  readonly expiresAt: number | undefined;
}

/** The longest Message Expiry Interval there is. */
const expirySecondsMax = 0xffff_fffe;

/** @throws MessError INVALID_ARGUMENT that names the option */
export function publishHeaders(
  options: PublishOptions,
  more: Properties,
  { world, tracing, nextId }: { world: World; tracing: TraceProvider | undefined; nextId: () => string },
): PublishHeaders {
  const { key, priority, headers = {}, expiresIn, contentType, durability = "persisted" } = options;
  const now = world.monotonic();
  const given = Object.entries(headers);
  const reserved = given.find(([name]) => name.startsWith("mess-"));
  if (reserved !== undefined) {
    throw new MessError("INVALID_ARGUMENT", `the header "${reserved[0]}" begins with mess-, which is the broker's`, {
      hint: "use the options key, priority, delay, at and id",
    });
  }
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 9)) {
    throw new MessError("INVALID_ARGUMENT", "priority is a whole number from 0 to 9");
  }
  const id =
    options.id === false || (options.id === undefined && durability === "sent") ? undefined : (options.id ?? nextId());
  const own: [string, string][] = [];
  if (id !== undefined) own.push(["mess-id", id]);
  if (key !== undefined) own.push(["mess-key", key]);
  if (priority !== undefined) own.push(["mess-priority", String(priority)]);
  if (options.at !== undefined) own.push(["mess-at", timestamp(options)]);
  return {
    fixed: { ...more, ...(contentType !== undefined && { contentType }) },
    userProperties: [...own, ...given, ...traceProperties(options.trace, tracing)],
    id,
    dueAt: options.delay === undefined ? undefined : now + milliseconds(options.delay, "delay"),
    expiresAt: expiresIn === undefined ? undefined : now + milliseconds(expiresIn, "expiresIn"),
  };
}

/** What is sent at this moment: times that run are counted down. */
export function propertiesNow({ fixed, userProperties, dueAt, expiresAt }: PublishHeaders, now: number): Properties {
  const delay: UserProperties =
    dueAt === undefined ? [] : [["mess-delay", String(Math.max(0, Math.ceil(dueAt - now)))]];
  const all = [...userProperties, ...delay];
  return {
    ...fixed,
    ...(all.length > 0 && { userProperties: all }),
    ...(expiresAt !== undefined && {
      messageExpiryInterval: Math.min(Math.ceil((expiresAt - now) / 1000), expirySecondsMax),
    }),
  };
}

function timestamp({ at, delay }: PublishOptions): string {
  if (delay !== undefined) throw new MessError("INVALID_ARGUMENT", "delay and at exclude each other");
  const date = new Date(at ?? Number.NaN);
  if (Number.isNaN(date.getTime()))
    throw new MessError("INVALID_ARGUMENT", "at is not a time", { hint: "a Date, or RFC 3339" });
  return date.toISOString();
}
