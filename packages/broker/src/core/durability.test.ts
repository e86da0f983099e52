import fc from "fast-check";
import { expect, test } from "vitest";
import { readDeliveryNote, RecordKind } from "../model/record.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { Player, policies, steps } from "./history.test-data.ts";
import { checkInvariants } from "./invariants.ts";

/** I1, I2 and I9 as a link sees them, and the invariants of the state after every step. */
class Watch {
  readonly player: Player;
  readonly #publishedAs: Map<string, number> = new Map();
  readonly #confirmedBy: Map<string, number> = new Map();

  constructor(player: Player) {
    this.player = player;
    player.onConnect = (client, index) => this.#watch(client, index);
    player.onPublish = (payload, seq, client, packetId) => {
      this.#publishedAs.set(payload, seq);
      this.#confirmedBy.set(`${client} ${packetId}`, seq);
    };
  }

  #watch(client: FakeClient, index: number): void {
    const { world } = this.player;
    const { journal } = world;
    const attachedBy = journal.lastSeq;
    const number = client.handle.number;
    client.link.watch = (what, detail) => {
      const durable = journal.durableSeq;
      if (what === "attached") expect(attachedBy, "CONNACK before its records").toBeLessThanOrEqual(durable);
      if (what === "confirm") expect(this.#confirmedBy.get(`${index} ${detail}`) ?? 0, "confirm before its record").toBeLessThanOrEqual(durable);
      if (what === "completed") expect(journal.lastSeq, "PUBCOMP before its record").toBeGreaterThanOrEqual(durable);
      if (what === "release" && this.#isDurable(number)) expect(this.#isNoted(RecordKind.deliveryReceived, number, detail as number), "PUBREL before its note").toBe(true);
      if (what !== "deliver" || typeof detail === "number") return;
      // The empty ones that clear a topic look alike.
      if (detail.payload !== "") expect(this.#publishedAs.get(detail.payload) ?? 0, `${detail.payload} delivered before its record`).toBeLessThanOrEqual(durable);
      if (detail.qos === 2 && this.#isDurable(number)) {
        expect(this.#isNoted(RecordKind.deliveryReserved, number, detail.packetId), "QoS 2 PUBLISH before its packet id").toBe(true);
      }
    };
  }

  #isDurable(number: number): boolean {
    return this.player.world.machine.state.sessionsByNumber.get(number)?.durable === true;
  }

  #isNoted(kind: number, number: number, packetId: number): boolean {
    for (const frame of this.player.world.journal.frames) {
      for (let i = 0; i < frame.count; i++) {
        if (frame.kinds[i] !== kind) continue;
        const note = readDeliveryNote(frame.bytes, frame.starts[i] as number, frame.ends[i] as number);
        if (note.number === number && note.packetId === packetId) return true;
      }
    }
    return false;
  }
}

test("nothing leaves before its frame is durable, and the state stays sound (I1, I2, I9, S1 to S10)", () => {
  fc.assert(
    fc.property(fc.array(steps(), { minLength: 20, maxLength: 120 }), (history) => {
      const { player } = new Watch(new Player({ policy: policies[0], journal: { cachedFrames: 3 } }));
      for (const step of history) {
        player.play(step);
        const breaches = checkInvariants(player.world.machine.state);
        if (breaches.length > 0) throw new Error(`after ${JSON.stringify(step)}: ${breaches.join("; ")}`);
      }
    }),
    { numRuns: 300 },
  );
});
