import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordKind, readDeliveryNote } from "../model/record.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { histories, Player, policies } from "./history.test-data.ts";
import { checkInvariants } from "./invariants.ts";

/** I1, I2 and I9 as a link sees them, and the invariants of the state after every step. */
class Watch {
  readonly player: Player;
  readonly #publishedAs: Map<string, number> = new Map();
  /** By client and packet id: the record that a confirm, or a completion, stands for. */
  readonly #confirmedBy: Map<string, number> = new Map();
  readonly #completedBy: Map<string, number> = new Map();
  /** Notes of packet ids that are durable, up to the frame that begins at `#read`. */
  readonly #notes: Set<string> = new Set();
  #read = 0;

  constructor(player: Player) {
    this.player = player;
    player.onConnect = (client, index) => this.#watch(client, index);
    player.onPublish = (payload, seq, client, packetId) => {
      this.#publishedAs.set(payload, seq);
      this.#confirmedBy.set(`${client} ${packetId}`, seq);
    };
    player.onRelease = (seq, client, packetId) => {
      this.#completedBy.set(`${client} ${packetId}`, seq);
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
      const receipt = what === "confirm" ? (client.link.receipts.get(detail as number) ?? 0) : 0;
      expect(Math.abs(receipt), "a receipt before its record").toBeLessThanOrEqual(durable);
      // The record that a repeat stands for is another one, and may have been durable for long.
      if (receipt < 0) return;
      // One that is not known yet is confirmed inside the call that asks for it.
      const record = what === "confirm" ? this.#confirmedBy : this.#completedBy;
      if (what === "confirm" || what === "completed") {
        expect(
          record.get(`${index} ${detail}`) ?? Number.POSITIVE_INFINITY,
          `${what} before its record`,
        ).toBeLessThanOrEqual(durable);
      }
      if (what === "release" && this.#isDurable(number))
        expect(this.#isNoted(RecordKind.deliveryReceived, number, detail as number), "PUBREL before its note").toBe(
          true,
        );
      if (what !== "deliver" || typeof detail === "number") return;
      if (detail.qos > 0) {
        const underWay = (this.player.unacked[index] ?? []).filter(({ step }) => step !== 3).length;
        expect(underWay, "more under way than the client takes [MQTT-3.3.4-9]").toBeLessThan(client.receiveMaximum);
      }
      // The empty ones that clear a topic look alike.
      if (detail.payload !== "")
        expect(
          this.#publishedAs.get(detail.payload) ?? 0,
          `${detail.payload} delivered before its record`,
        ).toBeLessThanOrEqual(durable);
      if (detail.qos === 2 && this.#isDurable(number)) {
        expect(
          this.#isNoted(RecordKind.deliveryReserved, number, detail.packetId),
          "QoS 2 PUBLISH before its packet id",
        ).toBe(true);
      }
    };
  }

  /** Before their segments are dropped. */
  readNotes(): void {
    this.#isNoted(0, 0, 0);
  }

  #isDurable(number: number): boolean {
    return this.player.world.machine.state.sessionsByNumber.get(number)?.durable === true;
  }

  #isNoted(kind: number, number: number, packetId: number): boolean {
    for (const frame of this.player.world.journal.frames) {
      if (frame.firstSeq <= this.#read) continue;
      this.#read = frame.firstSeq;
      for (let i = 0; i < frame.count; i++) {
        if (frame.kinds[i] !== RecordKind.deliveryReserved && frame.kinds[i] !== RecordKind.deliveryReceived) continue;
        const note = readDeliveryNote(frame.bytes, frame.starts[i] as number, frame.ends[i] as number);
        this.#notes.add(`${frame.kinds[i]} ${note.number} ${note.packetId}`);
      }
    }
    return this.#notes.has(`${kind} ${number} ${packetId}`);
  }
}

test("nothing leaves before its frame is durable, and the state stays sound (I1, I2, I9, S1 to S10)", () => {
  fc.assert(
    fc.property(histories(20, 120), (history) => {
      const watch = new Watch(new Player({ policy: policies[0], journal: { cachedFrames: 3 } }));
      const { player } = watch;
      for (const step of history) {
        player.play(step);
        watch.readNotes();
        const breaches = checkInvariants(player.world.machine.state);
        if (breaches.length > 0) throw new Error(`after ${JSON.stringify(step)}: ${breaches.join("; ")}`);
      }
    }),
    { numRuns: 500 },
  );
});
