import type { SimulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import type {
  AckPacket,
  ConnackPacket,
  ConnectPacket,
  Packet,
  PublishPacket,
  QoS,
} from "../../packages/wire/src/mqtt/packet.ts";
import type { ClientPlan, ClientWorld, Outgoing } from "./client.ts";
import { ClientStream, encode, PacketType } from "./codec.ts";
import { type DeliveryFact, type MessageFact, NEVER, payloadOf, type SessionFact, Violation } from "./facts.ts";
import type { Pipe } from "./pipe.ts";

/** What a connection needs of its client. */
export interface LinkOwner {
  readonly plan: ClientPlan;
  readonly world: ClientWorld;
  readonly session: SessionFact | undefined;
  readonly outgoing: Map<number, Outgoing>;
  readonly held: Set<number>;
  readonly withholdUntil: number;
  freeId(): number;
  connected(link: ClientLink, packet: ConnackPacket): void;
  dropped(link: ClientLink): void;
}

type AckType = AckPacket["type"];

/** Reasons after which a publish is surely not kept: the broker judged it, the disk did not fail under it. */
const refusals: ReadonlySet<number> = new Set([0x87, 0x90, 0x95, 0x97, 0x99]);
/** Reasons for DISCONNECT that a client which keeps the rules may get. */
const excusable: ReadonlySet<number> = new Set([0x00, 0x80, 0x83, 0x88, 0x89, 0x8b, 0x8d, 0x8e, 0x97, 0x98]);
/** How long after an event the broker's doing is surely durable on a healthy disk, milliseconds. */
const SETTLED_MS = 400;

/** How long after its arrival a packet has been acted on, if the connection is still there, milliseconds. */
const TAKEN_MS = 5;

/** One connection of a client: the packets of MQTT, in and out. */
export class ClientLink {
  readonly number: number;
  readonly dialedAt: number;
  readonly asked: Map<number, (packet: Packet) => void> = new Map();
  cleanStart = false;
  expiry = 0;
  presence: "must" | "never" | "either" | undefined;
  will: MessageFact | undefined;
  up = false;
  /** CONNACK came, and it was no refusal. */
  attached = false;
  /** The client has a newer connection; what comes here is ignored. */
  stale = false;
  serverReceiveMaximum = 65_535;
  #pipe: Pipe | undefined;
  readonly #owner: LinkOwner;
  readonly #sim: SimulatedHost;
  readonly #stream: ClientStream;
  /** Ids in the order in which the broker has to answer, by the packet it answers with. */
  readonly #due: Map<AckType, number[]> = new Map();
  /** Deliveries not acked by us, by packet id: the message index. */
  readonly #unacked: Map<number, number> = new Map();
  #ackPlan = 0;

  constructor(owner: LinkOwner, number: number) {
    this.#owner = owner;
    this.number = number;
    this.#sim = owner.world.sim;
    this.dialedAt = owner.world.ledger.now;
    this.#stream = new ClientStream(owner.plan.version, (packet) => this.#take(packet));
  }

  get pipe(): Pipe {
    if (this.#pipe === undefined) throw new Error("the link was not dialed");
    return this.#pipe;
  }

  /** False when nothing listens. */
  dial(address: string): boolean {
    this.#pipe = this.#owner.world.dial(address, {
      received: (bytes) => {
        if (!this.stale) this.#stream.push(bytes);
      },
      closed: () => {
        this.up = false;
        this.#owner.dropped(this);
      },
    });
    return this.#pipe !== undefined;
  }

  start(packet: ConnectPacket): void {
    this.#send(packet);
    const { keepAlive } = this.#owner.plan;
    if (keepAlive > 0) this.#sim.schedule(keepAlive * 400, () => this.#ping());
  }

  sendPublish(message: MessageFact, packetId: number, dup: boolean): void {
    this.#owner.world.ledger.sent(message);
    const { topic, qos, retain } = message;
    const payload = payloadOf(message.index, message.size);
    this.#send({ type: PacketType.PUBLISH, topic, payload, qos, retain, dup, ...(qos > 0 ? { packetId } : {}) });
    if (qos > 0) this.#expect(qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, packetId);
  }

  sendRelease(packetId: number): void {
    this.#send({ type: PacketType.PUBREL, packetId, reasonCode: 0 });
    this.#expect(PacketType.PUBCOMP, packetId);
  }

  subscribe(filter: string, qos: QoS, noLocal: boolean): void {
    const { ledger } = this.#owner.world;
    const session = this.#owner.session as SessionFact;
    const packetId = this.#owner.freeId();
    let fact = session.subscriptions.find((other) => other.filter === filter && other.removalAskedAt === NEVER);
    if (fact === undefined) fact = ledger.subscription(session, filter, qos, noLocal);
    else fact.asks++;
    const { qos: asked, noLocal: local } = fact;
    const subscription = { filter, qos: asked, noLocal: local, retainAsPublished: false, retainHandling: 0 } as const;
    this.#send({ type: PacketType.SUBSCRIBE, packetId, subscriptions: [subscription] });
    this.asked.set(packetId, (packet) => {
      const code = packet.type === PacketType.SUBACK ? packet.reasonCodes[0] : undefined;
      if (code === undefined) throw new Violation("protocol", `SUBSCRIBE was answered by packet type ${packet.type}`);
      if (code === asked) fact.grantedAt = Math.min(fact.grantedAt, ledger.now);
      else if (code < 0x80) throw new Violation("protocol", `${filter} was asked for at QoS ${asked}, granted ${code}`);
    });
  }

  unsubscribe(filter: string): void {
    const { ledger } = this.#owner.world;
    const session = this.#owner.session as SessionFact;
    const packetId = this.#owner.freeId();
    const facts = session.subscriptions.filter((other) => other.filter === filter && other.removedAt === NEVER);
    for (const fact of facts) fact.removalAskedAt = Math.min(fact.removalAskedAt, ledger.now);
    this.#send({ type: PacketType.UNSUBSCRIBE, packetId, filters: [filter] });
    this.asked.set(packetId, (packet) => {
      if (packet.type !== PacketType.UNSUBACK) {
        throw new Violation("protocol", `UNSUBSCRIBE was answered by packet type ${packet.type}`);
      }
      if ((packet.reasonCodes[0] ?? 0) < 0x80) for (const fact of facts) fact.removedAt = ledger.now;
    });
  }

  /** DISCONNECT: the will is void once the broker has it and had time to make that durable. */
  sayGoodbye(): void {
    const { will } = this;
    const { pipe } = this;
    this.up = false;
    const void_ = (): void => {
      pipe.cut();
      if (will !== undefined) this.#ifCalm(() => this.#owner.world.ledger.refused(will));
    };
    pipe.clientSend(encode({ type: PacketType.DISCONNECT, reasonCode: 0 }, this.#owner.plan.version), void_);
  }

  /** The broker learned that the connection broke: the will is due, unless the machine stops before it is durable. */
  willFallsDue(cutAt: number): void {
    const { will } = this;
    if (will === undefined || !this.attached) return;
    this.#ifCalm(() => {
      will.sentAt = cutAt;
      this.#owner.world.ledger.acked(will);
    });
  }

  /** Runs after a while if the machine ran on with a healthy disk. */
  #ifCalm(run: () => void): void {
    const life = this.#sim.incarnation;
    const { ledger } = this.#owner.world;
    this.#sim.schedule(SETTLED_MS, () => {
      if (this.#sim.incarnation === life && !ledger.isTroubled) run();
    });
  }

  #ping(): void {
    if (!this.pipe.isOpen || this.stale) return;
    if (this.up) this.#send({ type: PacketType.PINGREQ });
    this.#sim.schedule(this.#owner.plan.keepAlive * 400, () => this.#ping());
  }

  #send(packet: Packet, arrived?: () => void): void {
    this.#note("->", packet);
    this.pipe.clientSend(encode(packet, this.#owner.plan.version), arrived);
  }

  #expect(type: AckType, packetId: number): void {
    const due = this.#due.get(type);
    if (due === undefined) this.#due.set(type, [packetId]);
    else due.push(packetId);
  }

  #note(way: string, packet: Packet): void {
    this.#owner.world.ledger.note(() => `c${this.#owner.plan.index}/${this.number} ${way} ${describe(packet)}`);
  }

  #take(packet: Packet): void {
    this.#note("<-", packet);
    if (!this.up && packet.type !== PacketType.CONNACK && packet.type !== PacketType.DISCONNECT) {
      if (this.attached) return;
      throw new Violation("protocol", `packet type ${packet.type} before CONNACK`);
    }
    switch (packet.type) {
      case PacketType.CONNACK:
        return this.#connack(packet);
      case PacketType.PUBLISH:
        return this.#publish(packet);
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBCOMP:
        return this.#answered(packet);
      case PacketType.PUBREL:
        this.#owner.held.delete(packet.packetId);
        return this.#ackLater(PacketType.PUBCOMP, packet.packetId, undefined);
      case PacketType.SUBACK:
      case PacketType.UNSUBACK: {
        const take = this.asked.get(packet.packetId);
        if (take === undefined) throw new Violation("protocol", `packet type ${packet.type} for an id not in use`);
        this.asked.delete(packet.packetId);
        return take(packet);
      }
      case PacketType.DISCONNECT:
        if (excusable.has(packet.reasonCode)) return;
        throw new Violation("protocol", `the broker blames the client: reason 0x${packet.reasonCode.toString(16)}`);
      default:
        return;
    }
  }

  #connack(packet: ConnackPacket): void {
    if (this.attached) throw new Violation("protocol", "a second CONNACK");
    if (packet.reasonCode >= 0x80) return;
    this.attached = true;
    this.up = true;
    this.serverReceiveMaximum = packet.properties?.receiveMaximum ?? 65_535;
    this.#owner.connected(this, packet);
  }

  #answered(packet: AckPacket): void {
    const { outgoing } = this.#owner;
    const due = this.#due.get(packet.type) ?? [];
    const told = `packet type ${packet.type} for id ${packet.packetId}`;
    if (!due.includes(packet.packetId)) throw new Violation("protocol", `${told}, which waits for none`);
    if (due[0] !== packet.packetId) throw new Violation("protocol", `${told} out of order [MQTT-4.6.0-2]`);
    due.shift();
    const { message, unsure } = outgoing.get(packet.packetId) as Outgoing;
    const { ledger } = this.#owner.world;
    if (packet.reasonCode >= 0x80 && packet.type !== PacketType.PUBCOMP) {
      outgoing.delete(packet.packetId);
      if (refusals.has(packet.reasonCode) && message.attempts === 1 && !unsure) ledger.refused(message);
      return;
    }
    if (packet.type === PacketType.PUBREC) {
      outgoing.set(packet.packetId, { message, step: "release", unsure });
      return this.sendRelease(packet.packetId);
    }
    outgoing.delete(packet.packetId);
    if (packet.reasonCode < 0x80 && !unsure) ledger.acked(message);
  }

  #publish(packet: PublishPacket): void {
    const { world, session, plan, held } = this.#owner;
    const { packetId } = packet;
    if (session === undefined) throw new Violation("protocol", "PUBLISH without a session");
    if (packetId === undefined) return void world.ledger.delivered(session, packet, this);
    if (packet.qos === 2 && held.has(packetId) && !this.#unacked.has(packetId)) {
      // Seen in an earlier connection: answered again, not delivered again [MQTT-4.3.3].
      this.#unacked.set(packetId, -1);
      return this.#ackLater(PacketType.PUBREC, packetId, undefined);
    }
    if (this.#unacked.has(packetId)) throw new Violation("protocol", `packet id ${packetId} is in use already`);
    const delivery = world.ledger.delivered(session, packet, this);
    this.#unacked.set(packetId, delivery?.message.index ?? -1);
    if (plan.version === 5 && this.#unacked.size > plan.receiveMaximum) {
      throw new Violation(
        "protocol",
        `${this.#unacked.size} deliveries unacked, the client takes ${plan.receiveMaximum}`,
      );
    }
    if (packet.qos === 2) held.add(packetId);
    this.#ackLater(packet.qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, packetId, delivery);
  }

  /** The broker has the bytes; it has taken them when the connection goes on after that. */
  #ackArrived(delivery: DeliveryFact): void {
    const at = this.#sim.now;
    const life = this.#sim.incarnation;
    this.#sim.schedule(TAKEN_MS, () => {
      if (this.up && !this.stale && this.#sim.incarnation === life) delivery.ackArrivedAt = at;
    });
  }

  /** Acks leave in the order of their packets, after a while [MQTT-4.6.0-2]. */
  #ackLater(type: AckType, packetId: number, delivery: DeliveryFact | undefined): void {
    const { world } = this.#owner;
    const wait = world.random.chance(0.7) ? world.random.below(2_000) : world.random.below(30_000);
    const at = Math.max(this.#sim.now + wait, this.#owner.withholdUntil, this.#ackPlan);
    this.#ackPlan = at;
    this.#sim.schedule((at - this.#sim.now) / 1_000, () => {
      if (!this.up || this.stale || !this.pipe.isOpen) return;
      if (type !== PacketType.PUBREC) this.#unacked.delete(packetId);
      this.#send({ type, packetId, reasonCode: 0 }, () => {
        if (delivery !== undefined && type === PacketType.PUBACK) this.#ackArrived(delivery);
      });
    });
  }
}

/** A packet as one short line. */
function describe(packet: Packet): string {
  const name = Object.entries(PacketType).find(([, type]) => type === packet.type)?.[0] ?? "?";
  const rest = Object.entries(packet)
    .filter(([key]) => key !== "type" && key !== "properties")
    .map(([key, value]) => {
      if (value instanceof Uint8Array) return Buffer.from(value.subarray(0, 16)).toString("latin1").split(" ")[0];
      return `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`;
    });
  return `${name} ${rest.join(" ")}`;
}
