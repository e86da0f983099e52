/** The healthy client: pings and publishes at a fixed pace, whatever has been answered, so that a stall counts in full. */
import { decode, type Packet, packetEnd } from "../support/decoder.ts";
import * as build from "../support/packets.ts";
import { openStream, type Stream } from "../support/streams.ts";
import { type ControlStart, ledgerTopic, type PhaseFigures } from "./control-protocol.ts";

/** Below the broker's Receive Maximum, which a client must not exceed. */
const underWayMax = 90;

export class ControlConnection {
  readonly acknowledged: Set<number> = new Set();
  readonly #start: ControlStart;
  #stream: Stream | undefined;
  #held: Buffer = Buffer.alloc(0);
  #connected: (() => void) | undefined;
  #pings: number[] = [];
  #underWay: Map<number, { readonly at: number; readonly number: number }> = new Map();
  #figures = emptyFigures();
  #timer: NodeJS.Timeout | undefined;
  #next = 0;
  #isStopping = false;

  constructor(start: ControlStart) {
    this.#start = start;
  }

  async begin(): Promise<void> {
    await this.#connect();
    this.#timer = setInterval(() => this.#tick(), this.#start.everyMs);
  }

  /** Figures since the last call. What is not answered yet counts with the time it has waited, here and not later. */
  takeFigures(): PhaseFigures {
    const now = performance.now();
    const { pings, publishes, refused, disconnects } = this.#figures;
    this.#figures = emptyFigures();
    const late = this.#start.everyMs * 2;
    pings.push(...this.#pings.map((at) => now - at).filter((age) => age > late));
    publishes.push(...[...this.#underWay.values()].map(({ at }) => now - at).filter((age) => age > late));
    return { pings, publishes, refused, disconnects };
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    for (let waited = 0; this.#underWay.size > 0 && waited < 100; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.#stream?.destroy();
  }

  async #connect(): Promise<void> {
    const { endpoint, username, password } = this.#start;
    this.#held = Buffer.alloc(0);
    const accepted = new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
    const stream = await openStream(endpoint, {
      bytes: (bytes) => this.#received(bytes),
      closed: () => this.#lost(),
    });
    stream.write(build.connect({ clientId: "control", username, password, keepAlive: 60 }));
    await accepted;
    this.#stream = stream;
  }

  /** Publishes that were under way count as waiting until now; the number of each is given up, not repeated. */
  #lost(): void {
    if (this.#isStopping) return;
    this.#stream = undefined;
    this.#figures.disconnects += 1;
    const now = performance.now();
    this.#figures.pings.push(...this.#pings.map((at) => now - at));
    this.#figures.publishes.push(...[...this.#underWay.values()].map(({ at }) => now - at));
    this.#pings = [];
    this.#underWay = new Map();
    const again = (): void => {
      if (!this.#isStopping) this.#connect().catch(() => setTimeout(again, 100));
    };
    again();
  }

  #tick(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const now = performance.now();
    this.#pings.push(now);
    stream.write(build.pingreq());
    if (this.#underWay.size >= underWayMax) return;
    this.#next += 1;
    const id = ((this.#next - 1) % 65_535) + 1;
    this.#underWay.set(id, { at: now, number: this.#next });
    stream.write(build.publish({ topic: ledgerTopic, payload: String(this.#next), qos: 1, id }));
  }

  #received(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      const end = packetEnd(this.#held);
      if (end === undefined) return;
      const packet = decode(this.#held.subarray(0, end), 5);
      this.#held = this.#held.subarray(end);
      this.#take(packet);
    }
  }

  #take(packet: Packet): void {
    const now = performance.now();
    if (packet.name === "CONNACK" && packet.code === 0) this.#connected?.();
    if (packet.name === "PINGRESP") this.#figures.pings.push(now - (this.#pings.shift() ?? now));
    if (packet.name !== "PUBACK") return;
    const found = this.#underWay.get(packet.id);
    if (found === undefined) return;
    this.#underWay.delete(packet.id);
    this.#figures.publishes.push(now - found.at);
    if (packet.code < 0x80) this.acknowledged.add(found.number);
    else this.#figures.refused += 1;
  }
}

function emptyFigures(): { pings: number[]; publishes: number[]; refused: number; disconnects: number } {
  return { pings: [], publishes: [], refused: 0, disconnects: 0 };
}
