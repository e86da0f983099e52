import fc from "fast-check";
import { expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import { MessageView } from "../model/message.ts";
import { isDeliverable, messageOffset } from "../model/record.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { histories, Player, policies, principals, type Step } from "./history.test-data.ts";

/** What `policies` say, said again in another way. */
function may(
  which: number,
  principal: string,
  action: "publish" | "subscribe" | "share" | "retain" | "will",
  topic: string,
): boolean {
  if (which === 3 && principal === "p1") return false;
  if (which === 1 && topic === "a/b") return false;
  return !(which === 2 && (action === "retain" || action === "will"));
}

interface Retained {
  readonly principal: string;
  readonly topic: string;
}

/** Compares every effect with the rights of its principal at that moment (I5). */
class Oracle {
  readonly player: Player;
  readonly seen: Record<"delivered" | "published" | "refused" | "wills" | "retained", number> = {
    delivered: 0,
    published: 0,
    refused: 0,
    wills: 0,
    retained: 0,
  };
  readonly #texts: string[] = policies.map((policy) => JSON.stringify(policy));
  readonly #view: MessageView = new MessageView();
  /** Payloads of retained messages whose author had the rights all the time since. */
  readonly #retained: Map<string, Retained> = new Map();
  readonly #retainedOnce: Set<string> = new Set();
  #read = 0;

  constructor(player: Player) {
    this.player = player;
    player.onConnect = (client, index) => this.#watch(client, principals[index % 2] as string);
  }

  get #which(): number {
    return this.#texts.indexOf(JSON.stringify(this.player.world.machine.state.policy));
  }

  step(step: Step): void {
    const { player } = this;
    if (step.do === "crash") this.#read = player.world.journal.durableSeq;
    const client = "client" in step ? player.on(step.client) : undefined;
    player.play(step);
    this.#forgetRevoked();
    this.#checkRecords();
    if (step.do === "publish" && client !== undefined) this.#checkAnswer(step, player.lastReason);
    if (step.do === "crash") this.#read = player.world.journal.lastSeq;
  }

  #watch(client: FakeClient, principal: string): void {
    client.link.watch = (what, detail) => {
      if ((what !== "deliver" && what !== "forward") || typeof detail === "number") return;
      this.seen.delivered++;
      expect(may(this.#which, principal, "subscribe", detail.topic), `${principal} gets ${detail.topic}`).toBe(true);
      if (!detail.retain || detail.payload === "") return;
      this.seen.retained++;
      // Once gone it stays gone, whatever is granted later (LESSONS 7). One under way is finished as it is.
      const retained = retainedName(detail);
      if (this.#retainedOnce.has(retained) && !detail.dup) {
        expect(this.#retained.has(retained), `${detail.payload} is given to a new subscription`).toBe(true);
      }
    };
  }

  #checkAnswer(step: Extract<Step, { do: "publish" }>, reason: number): void {
    const principal = principals[step.client % 2] as string;
    const isAllowed =
      may(this.#which, principal, "publish", step.topic) &&
      (!step.retain || may(this.#which, principal, "retain", step.topic));
    if (!isAllowed) this.seen.refused++;
    expect(reason === Reason.notAuthorized, `${principal} publishes to ${step.topic}`).toBe(!isAllowed);
  }

  #forgetRevoked(): void {
    const which = this.#which;
    for (const [name, { principal, topic }] of this.#retained) {
      if (!may(which, principal, "publish", topic) || !may(which, principal, "retain", topic))
        this.#retained.delete(name);
    }
  }

  /** Each message that counts from this step on. */
  #checkRecords(): void {
    const { journal } = this.player.world;
    for (const { seq, kind, bytes, start, end } of journal.recordsAfter(this.#read)) {
      this.#read = seq;
      if (!isDeliverable(kind)) continue;
      const message = this.#view.read(bytes, start + messageOffset(kind), end);
      const { principal, topic } = message;
      const payload = bytes.toString("utf8", message.payloadStart, message.payloadEnd);
      this.seen.published++;
      expect(may(this.#which, principal, "publish", topic), `${principal} publishes ${payload} to ${topic}`).toBe(true);
      if (message.retain)
        expect(may(this.#which, principal, "retain", topic), `${principal} retains ${topic}`).toBe(true);
      if (payload.startsWith("will")) {
        this.seen.wills++;
        expect(may(this.#which, principal, "will", topic), `the will of ${principal} to ${topic}`).toBe(true);
      }
      if (!message.retain || payload === "") continue;
      const name = retainedName({ topic, payload });
      this.#retained.set(name, { principal, topic });
      this.#retainedOnce.add(name);
    }
  }
}

/** One client's wills have one text: the topic tells them apart. */
function retainedName({ topic, payload }: { readonly topic: string; readonly payload: string }): string {
  return `${topic} ${payload}`;
}

test("an effect happens only if its principal holds the right at that moment (I5)", () => {
  const sums = { delivered: 0, published: 0, refused: 0, wills: 0, retained: 0 };
  fc.assert(
    fc.property(histories(20, 80, ["lose", "publishWith", "replay", "declare", "cancel"]), (history) => {
      const oracle = new Oracle(new Player({ policy: policies[0], journal: { cachedFrames: 4 } }));
      for (const step of history) oracle.step(step);
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += oracle.seen[key];
    }),
    { numRuns: 2_000 },
  );
  // The histories get somewhere.
  for (const [what, count] of Object.entries(sums)) expect(count, what).toBeGreaterThan(100);
});
