import type { UserProperties } from "@mess/wire";
import { type Duration, milliseconds } from "../duration.ts";
import { MessError } from "../mess-error.ts";
import type { MqttConnection } from "../mqtt/mqtt-connection.ts";
import type { Timer, World } from "../world.ts";

export interface LeaseOptions {
  /** The connection it came over: the broker takes it back when that ends. */
  readonly client: MqttConnection;
  /** Where it is settled: the delivery's Response Topic. */
  readonly topic: string;
  /** The delivery's Correlation Data. */
  readonly token: Uint8Array;
  /** Milliseconds that an extension asks for. How long it lasts until the first one is the subscription's to say. */
  readonly lastsMs: number;
  readonly world: World;
  /** Called once: it is settled, or lost. */
  readonly onFree: () => void;
}

export type SettleVerb = "ack" | "nack" | "reject" | "release";

export interface SettleDetail {
  readonly delay?: Duration | undefined;
  readonly reason?: string | undefined;
}

/** Subscriptions with a shorter ack wait than a few times this do not get along with slow handlers. */
const firstExtensionMs = 300;
/** Characters; the broker takes 1 KiB. */
const reasonMax = 250;
const implementationSpecific = 0x83;

/** The right to work on a message. It ends when it is settled, when its time is over, or with its connection. */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  #state: "open" | "settled" | "lost" = "open";
  #expiry: Timer | undefined;
  #extension: Timer | undefined;
  #extended = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Fires when the lease is lost, with a MessError as its reason. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get open(): boolean {
    return this.#state === "open";
  }

  /**
   * Resolves when the broker has recorded it.
   *
   * @throws MessError LEASE_LOST; INVALID_ARGUMENT when it was settled before
   */
  async settle(verb: SettleVerb, { delay, reason }: SettleDetail = {}): Promise<void> {
    const userProperties: [string, string][] = [];
    if (delay !== undefined) userProperties.push(["mess-delay", String(Math.ceil(milliseconds(delay, "delay")))]);
    if (reason !== undefined && reason !== "") userProperties.push(["mess-reason", shorten(reason)]);
    this.#check();
    this.#state = "settled";
    this.#stop();
    try {
      await this.#tell(verb, userProperties);
    } finally {
      this.#options.onFree();
    }
  }

  /**
   * It lasts so long from now.
   *
   * @throws MessError LEASE_LOST
   */
  async extend(duration: Duration = this.#options.lastsMs): Promise<void> {
    const { world } = this.#options;
    const forMs = Math.ceil(milliseconds(duration, "extend"));
    this.#check();
    const asked = world.monotonic();
    await this.#tell("extend", [["mess-delay", String(forMs)]]);
    if (this.#state !== "open") return;
    this.#extended = true;
    this.#expireAfter(forMs - (world.monotonic() - asked));
  }

  /** Extends it by itself until it is settled or lost. What is done quickly costs nothing. */
  keep(onError: (error: unknown) => void): void {
    const { world, lastsMs } = this.#options;
    // Two more tries fit in before the time is over; before the first one we do not know when that is.
    const after = this.#extended ? lastsMs / 3 : Math.min(firstExtensionMs, lastsMs / 3);
    this.#extension?.cancel();
    this.#extension = world.after(after, () => {
      if (this.#state !== "open") return;
      this.extend().catch((error: unknown) => {
        if (this.#state === "open") onError(error);
      });
      this.keep(onError);
    });
  }

  /** It is extended by hand from now on. */
  unkeep(): void {
    this.#extension?.cancel();
  }

  /** Its time is over, or its connection is gone: the broker delivers the message again. */
  lose(error: MessError): void {
    if (this.#state !== "open") return;
    this.#state = "lost";
    this.#stop();
    this.#options.onFree();
    this.#lost.abort(error);
  }

  #check(): void {
    if (this.#state === "lost") throw this.#lost.signal.reason as MessError;
    if (this.#state === "open") return;
    throw new MessError("INVALID_ARGUMENT", "the message was settled already", {
      hint: "ack, nack, reject or release it once",
    });
  }

  async #tell(verb: SettleVerb | "extend", userProperties: UserProperties): Promise<void> {
    const { client, topic, token } = this.#options;
    const properties = { correlationData: token, ...(userProperties.length > 0 && { userProperties }) };
    try {
      await client.publish(topic, verb, { qos: 1, properties });
    } catch (cause) {
      const gone = cause instanceof MessError && cause.reasonCode === implementationSpecific;
      const unknown = !client.open;
      if (!gone && !unknown) throw cause;
      const error = leaseLost(
        gone
          ? `the broker did not take the ${verb}: the lease is over`
          : `the connection ended before the ${verb} was confirmed`,
        cause,
      );
      this.lose(error);
      throw error;
    }
  }

  #expireAfter(ms: number): void {
    this.#expiry?.cancel();
    this.#expiry = this.#options.world.after(Math.max(0, ms), () => {
      this.lose(leaseLost("the lease expired", undefined));
    });
  }

  #stop(): void {
    this.#expiry?.cancel();
    this.#extension?.cancel();
  }
}

export function leaseLost(message: string, cause: unknown): MessError {
  return new MessError("LEASE_LOST", message, { hint: "the broker delivers the message again", cause });
}

function shorten(reason: string): string {
  const clean = reason.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "");
  return clean.length > reasonMax ? `${clean.slice(0, reasonMax).replace(/[\uD800-\uDBFF]$/u, "")}…` : clean;
}
