import { type ClientWorld, SimulatedClient } from "./client.ts";
import type { MessageFact } from "./facts.ts";

/** A fresh client that asks for all retained messages and compares them with the last ones that were acked. */
export class Auditor {
  readonly #client: SimulatedClient;
  readonly #world: ClientWorld;

  constructor(world: ClientWorld, round: number) {
    this.#world = world;
    const plan = { index: 100 + round, version: 5, receiveMaximum: 65_535, window: 1, keepAlive: 0 } as const;
    this.#client = new SimulatedClient(plan, world);
  }

  /** `until` runs the simulation until its argument returns true. That nothing wrong comes is the ledger's check. */
  async audit(until: (done: () => boolean) => Promise<void>): Promise<void> {
    const client = this.#client;
    client.connect({ cleanStart: true, expiry: 0, will: undefined });
    await until(() => client.isUp);
    client.subscribe("r/#", 2, false);
    const wanted = this.#expected();
    await until(() => {
      const got = new Set(client.session?.deliveries.map(({ message }) => message));
      return (
        client.session?.subscriptions[0]?.grantedAt !== Number.POSITIVE_INFINITY && wanted.every((one) => got.has(one))
      );
    });
    client.disconnect();
  }

  /** The last value of each topic whose last value is beyond doubt. */
  #expected(): MessageFact[] {
    const last = new Map<string, MessageFact | undefined>();
    for (const message of this.#world.ledger.messages) {
      if (!message.retain || message.outcome === "refused") continue;
      if (message.outcome === "unknown") last.set(message.topic, undefined);
      else last.set(message.topic, message.size > 0 ? message : undefined);
    }
    return [...last.values()].filter((message) => message !== undefined);
  }
}
