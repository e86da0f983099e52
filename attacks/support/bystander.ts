/** Somebody who uses the broker in the ordinary way while it is attacked. */

import { unique } from "../../test/support/names.ts";
import { RawClient } from "../../test/support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { hold, holds } from "./attack.ts";

const answerMs = 5_000;

export class Bystander {
  readonly #client: RawClient;
  readonly #topic: string;
  readonly #arena: Arena;
  readonly #pid: number;

  private constructor(arena: Arena, client: RawClient, topic: string) {
    this.#arena = arena;
    this.#client = client;
    this.#topic = topic;
    this.#pid = arena.broker.pid;
  }

  static async join(arena: Arena): Promise<Bystander> {
    const { broker } = arena;
    const who = await arena.principal("tenant", unique("bystander"));
    const options = { version: broker.version, clientId: who.name, ...who.credentials };
    const client = await RawClient.connect(arena.door.endpoint, options);
    client.autoAck = true;
    const topic = who.topic("heartbeat");
    await client.subscribe({ filter: topic, qos: 1 });
    return new Bystander(arena, client, topic);
  }

  leave(): void {
    this.#client.stream.destroy();
  }

  /** Still the same process, still connected, still served; what it sees are its own messages and no others. */
  async check(): Promise<void> {
    const { broker } = this.#arena;
    const { output } = broker;
    hold(!/process\.defect/.test(output), `the broker died of a defect: ${output.slice(-500)}`);
    hold(broker.pid === this.#pid, "the broker is another process than before");
    hold(!this.#client.isClosed, `a client that did nothing was thrown off${this.#client.history()}`);
    const payload = unique("beat");
    await holds("a client that did nothing is not served any more", async () => {
      await this.#client.publish({ topic: this.#topic, payload, qos: 1 });
      const message = await this.#client.message(answerMs);
      if (message.payload.toString() !== payload) throw new Error(`got ${message.payload.toString()}`);
    });
    hold(this.#client.waiting("PUBLISH").length === 0, "a client that did nothing got messages that were not for it");
  }
}
