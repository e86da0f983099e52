import type { SimulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import type { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { ConnackPacket, ConnectPacket, ProtocolVersion, QoS } from "../../packages/wire/src/mqtt/packet.ts";
import { PacketType } from "./codec.ts";
import { type MessageFact, NEVER, payloadOf, type SessionFact, Violation } from "./facts.ts";
import type { Ledger } from "./ledger.ts";
import { ClientLink, type LinkOwner } from "./link.ts";
import type { Pipe, PipeClient } from "./pipe.ts";

/** What stays the same for a client through one run. */
export interface ClientPlan {
  readonly index: number;
  readonly version: ProtocolVersion;
  /** Deliveries it takes unacked (5.0). */
  readonly receiveMaximum: number;
  /** Publishes it leaves unacked. */
  readonly window: number;
  /** Seconds; 0 switches it off. */
  readonly keepAlive: number;
}

/** How an operation wants the client connected. */
export interface ConnectWish {
  readonly cleanStart: boolean;
  /** Seconds (5.0); under 3.1.1 a clean session has 0 and another has no end. */
  readonly expiry: number;
  readonly will:
    | { readonly topic: string; readonly qos: QoS; readonly retain: boolean; readonly size: number }
    | undefined;
}

export interface ClientWorld {
  readonly sim: SimulatedHost;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  /** A connection to the broker; `undefined` while nothing listens. */
  dial(address: string, client: PipeClient): Pipe | undefined;
}

/** A publish that the broker has not answered in full. */
export interface Outgoing {
  readonly message: MessageFact;
  step: "publish" | "release";
  /** The broker may have lost the session meanwhile, and with it the first half: its answer proves nothing. */
  unsure: boolean;
}

const LONG = 86_400;
const SECOND = 1_000_000;

/** One client with its session: it keeps its word, forgets nothing, and reports everything to the ledger. */
export class SimulatedClient implements LinkOwner {
  readonly plan: ClientPlan;
  readonly world: ClientWorld;
  readonly outgoing: Map<number, Outgoing> = new Map();
  /** QoS 2 ids received and not released. */
  readonly held: Set<number> = new Set();
  session: SessionFact | undefined;
  link: ClientLink | undefined;
  /** Holds back acks of deliveries until then. */
  withholdUntil = 0;
  #online = false;
  #wish: ConnectWish = { cleanStart: true, expiry: LONG, will: undefined };
  #cleanPending = true;
  #offlineSince = 0;
  #vanished = false;
  /** A CONNECT that could have made a session was never answered. */
  #perhapsCreated = false;
  #links = 0;
  /** The session had no time of its own and its connection is gone. */
  #over = false;

  constructor(plan: ClientPlan, world: ClientWorld) {
    this.plan = plan;
    this.world = world;
  }

  get isUp(): boolean {
    return this.link?.up === true;
  }

  /** Connects, or takes over its own connection. */
  connect(wish: ConnectWish): void {
    this.#wish = wish;
    this.#cleanPending ||= wish.cleanStart;
    this.#online = true;
    this.#dial();
  }

  /** Goes online with the session it has, if it is not; for the end of a run. */
  comeBack(): void {
    this.#online = true;
    this.withholdUntil = 0;
    this.link?.pipe.setReading(true);
    this.#wish = { ...this.#wish, cleanStart: false, will: undefined };
    if (this.link === undefined) this.#dial();
  }

  disconnect(): void {
    this.#online = false;
    const link = this.link;
    if (link === undefined) return;
    if (link.up) link.sayGoodbye();
    else link.pipe.cut();
    this.#lost(false);
  }

  cut(): void {
    const link = this.link;
    if (link === undefined) return;
    link.pipe.cut(() => link.willFallsDue(this.world.ledger.now));
    this.#lost(false);
  }

  vanish(): void {
    if (this.link === undefined) return;
    this.link.pipe.vanish();
    this.#lost(true);
  }

  publish(fields: { topic: string; qos: QoS; retain: boolean; size: number }): void {
    const { link } = this;
    if (!this.#online && this.world.random.chance(0.1)) this.connect({ ...this.#wish, cleanStart: false });
    if (link === undefined || !link.up) return;
    if (fields.qos > 0 && this.outgoing.size >= Math.min(this.plan.window, link.serverReceiveMaximum)) return;
    // One retained publish at a time on a topic: else the last one is not known to the client itself.
    if (fields.retain && [...this.outgoing.values()].some(({ message }) => message.topic === fields.topic)) return;
    const message = this.world.ledger.message({ publisher: this.plan.index, ...fields });
    if (message.qos === 0) return link.sendPublish(message, 0, false);
    const packetId = this.freeId();
    this.outgoing.set(packetId, { message, step: "publish", unsure: false });
    link.sendPublish(message, packetId, false);
  }

  subscribe(filter: string, qos: QoS, noLocal: boolean): void {
    if (this.link?.up === true) this.link.subscribe(filter, qos, noLocal);
  }

  unsubscribe(filter: string): void {
    if (this.link?.up === true) this.link.unsubscribe(filter);
  }

  freeId(): number {
    for (let id = 1; ; id++) if (!this.outgoing.has(id) && this.link?.asked.has(id) !== true) return id;
  }

  // ---- what the link reports

  connected(link: ClientLink, packet: ConnackPacket): void {
    if (packet.reasonCode >= 0x80) return;
    const { ledger } = this.world;
    const expected = link.cleanStart ? "never" : this.#presence(link);
    const told = `client ${this.plan.index} got session present ${packet.sessionPresent}`;
    if (packet.sessionPresent && expected === "never") throw new Violation("session present", told);
    if (!packet.sessionPresent && expected === "must") throw new Violation("session present", `${told}: it was lost`);
    if (packet.sessionPresent) {
      this.#resumed(link, expected);
    } else {
      if (this.session !== undefined) this.session.endedAt = Math.min(this.session.endedAt, ledger.now);
      this.session = ledger.session(this.plan.index, link.expiry, link.dialedAt);
      this.outgoing.clear();
      this.held.clear();
    }
    this.#over = false;
    this.#cleanPending = false;
    this.#perhapsCreated = false;
    for (const [packetId, { message, step }] of this.outgoing) {
      if (step === "publish") link.sendPublish(message, packetId, true);
      else link.sendRelease(packetId);
    }
  }

  #resumed(link: ClientLink, expected: "must" | "either" | "never"): void {
    if (this.session === undefined || this.#over || this.session.endedAt < NEVER) {
      // Made by a CONNECT that was never answered.
      this.session = this.world.ledger.session(this.plan.index, link.expiry, 0);
    }
    this.session.expiry = link.expiry;
    if (expected === "must") return;
    this.session.endAskedAt = Math.min(this.session.endAskedAt, link.dialedAt);
    for (const outgoing of this.outgoing.values()) outgoing.unsure = true;
  }

  /** The broker or the machine ended the connection. */
  dropped(link: ClientLink): void {
    if (link === this.link) this.#lost(false);
  }

  // ---- inside

  #dial(): void {
    if (this.link !== undefined) {
      // A takeover: what still comes on the old connection is ignored, as if it had been lost.
      this.link.stale = true;
      this.#lost(false);
    }
    if (!this.#online) return;
    const link = new ClientLink(this, ++this.#links);
    if (!link.dial(`10.0.0.${this.plan.index + 1}`)) return this.#retry();
    this.link = link;
    link.start(this.#connectPacket(link));
    this.world.sim.schedule(2_000, () => {
      if (this.link === link && !link.up) this.cut();
    });
  }

  #connectPacket(link: ClientLink): ConnectPacket {
    const { ledger } = this.world;
    const { version, index } = this.plan;
    link.cleanStart = this.#cleanPending;
    link.expiry = version === 4 ? (link.cleanStart ? 0 : LONG) : this.#wish.expiry;
    if (this.session !== undefined && link.cleanStart) {
      this.session.endAskedAt = Math.min(this.session.endAskedAt, ledger.now);
    }
    const wish = this.#wish.will;
    if (wish !== undefined) link.will = ledger.message({ publisher: index, will: true, ...wish });
    if (link.will !== undefined) ledger.sent(link.will);
    link.presence = link.cleanStart ? "never" : this.#presence(link);
    this.#perhapsCreated ||= link.expiry > 0;
    return {
      type: PacketType.CONNECT,
      version,
      cleanStart: link.cleanStart,
      keepAlive: this.plan.keepAlive,
      clientId: `c${index}`,
      ...(link.will === undefined
        ? {}
        : { will: { ...link.will, payload: payloadOf(link.will.index, link.will.size) } }),
      ...(version === 5
        ? { properties: { sessionExpiryInterval: link.expiry, receiveMaximum: this.plan.receiveMaximum } }
        : {}),
    };
  }

  /** What the broker must say about the session of a CONNECT that goes out now. */
  #presence(link: ClientLink): "must" | "never" | "either" {
    if (link.presence !== undefined) return link.presence;
    const { session, world } = this;
    if (session === undefined || this.#over || session.endedAt < NEVER)
      return this.#perhapsCreated ? "either" : "never";
    if (session.endAskedAt < NEVER) return "either";
    if (session.expiry === LONG) return "must";
    const { ledger } = world;
    if (ledger.jumps.some((at) => at > this.#offlineSince - SECOND)) return "either";
    const away = ledger.now - this.#offlineSince;
    if (away < session.expiry * SECOND - SECOND / 2) return "must";
    const noticed = !this.#vanished && !this.#perhapsCreated;
    const calm = noticed && ledger.stops.every(({ at }) => at < this.#offlineSince - SECOND / 4) && !ledger.isTroubled;
    return calm && away > session.expiry * SECOND + 2 * SECOND ? "never" : "either";
  }

  #lost(vanished: boolean): void {
    const { ledger, sim, random } = this.world;
    const { link, session } = this;
    if (link !== undefined) link.stale = true;
    this.link = undefined;
    this.#offlineSince = ledger.now;
    this.#vanished = vanished;
    // A CONNECT that was not answered may have given the session its shorter life all the same.
    const perhapsShorter = link !== undefined && link.expiry < (session?.expiry ?? 0);
    // One that came too late for the session may have made another in its place.
    const perhapsNew = link !== undefined && !link.attached && link.presence !== "must";
    if (session !== undefined && (perhapsShorter || perhapsNew))
      session.endAskedAt = Math.min(session.endAskedAt, ledger.now);
    if (session !== undefined && session.expiry === 0) {
      // It ended with its connection, and so did what the client remembered of it [MQTT-3.1.2-6 of 3.1.1].
      session.endAskedAt = Math.min(session.endAskedAt, ledger.now);
      this.#over = true;
      // A client that went silent is one for the broker until its keep alive or its next connection.
      if (!vanished) session.endedAt = Math.min(session.endedAt, ledger.now);
      this.outgoing.clear();
      this.held.clear();
    }
    if (this.#online) sim.schedule(random.between(2, 30), () => this.#redial());
  }

  #redial(): void {
    if (this.#online && this.link === undefined) this.#dial();
  }

  #retry(): void {
    this.world.sim.schedule(this.world.random.between(2, 20), () => this.#redial());
  }
}
