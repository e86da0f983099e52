import { Broker, type EmbeddedOptions, type OpenOptions } from "@mess/broker";
import { TestClock } from "@mess/broker/testing";

/** Embedded clients as the broker makes them: those of `@mess/client`. */
type Client = Awaited<ReturnType<Broker["connect"]>>;

export interface MemoryBrokerOptions {
  /** 32 bits, 1 by default: the same seed and the same calls give the same history. */
  readonly seed?: number;
  /** What the clock shows at first; the first of January 2026 (UTC) by default. */
  readonly startAt?: Date | number;
  /** As in `Broker.open`: TOML, or an object with the sections `roles`, `principals`, `topics`, `subscriptions`. */
  readonly policy?: NonNullable<OpenOptions["policy"]>;
  readonly limits?: NonNullable<OpenOptions["limits"]>;
  /** Who `client` is; `admin`, who may everything, by default. */
  readonly principal?: string;
  readonly client?: EmbeddedOptions;
  /** Nothing by default. */
  readonly log?: NonNullable<OpenOptions["log"]>;
}

export interface MemoryBroker extends AsyncDisposable {
  /** The real one; `broker.connect("shop")` gives more clients. */
  readonly broker: Broker;
  readonly client: Client;
  /** Stands still until it is moved. */
  readonly clock: TestClock;
  /** Ends clients and broker. What was in memory is gone. */
  close(): Promise<void>;
}

const firstOfJanuary2026 = 1_767_225_600_000;

/**
 * `await using mess = await memoryBroker()`, then `mess.client.publish(…)` and `await mess.clock.advance("1h")`. Every
 * rule of the broker holds (rights, quotas, leases, retries, dead letters); only the disk is memory, and time is the
 * test's. Needs `@mess/broker` as a development dependency.
 */
export async function memoryBroker(options: MemoryBrokerOptions = {}): Promise<MemoryBroker> {
  const { seed = 1, startAt = firstOfJanuary2026, policy, limits, principal, log = "silent" } = options;
  const clock = new TestClock({ seed, startAt: Number(startAt) });
  const given = { ...(policy !== undefined && { policy }), ...(limits !== undefined && { limits }) };
  const broker = await Broker.open({ memory: true, log, ...given }, clock.host);
  const client = await broker.connect(principal, options.client).catch(async (error: unknown) => {
    await broker.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    // First, or it would wait for a clock that nobody moves any more, to connect again.
    await client.close();
    await broker.close();
  };
  return { broker, client, clock, close, [Symbol.asyncDispose]: close };
}
