/** The MQTT door over the real machine with a journal in memory, and pipes in place of sockets. */
import {
  type ConnectPacket,
  encodePacket,
  type Packet,
  PacketDecoder,
  PacketType,
  type Properties,
  type ProtocolVersion,
  publishPacketOf,
} from "@mess/wire";
import { defaultLimits } from "../../../config/limits.ts";
import { World, type WorldOptions } from "../../../core/world.test-data.ts";
import type { Timer } from "../../../host/host.ts";
import type { Authenticator } from "../../../model/authentication.ts";
import type { Link } from "../../../model/link.ts";
import type { Queues } from "../../../model/queue.ts";
import type { SignatureVerifier } from "../../../model/signing.ts";
import { JournaledKeysVerifier } from "../../../signature-verifier.ts";
import { RateLimiter } from "../../rate-limiter.ts";
import type { Peer, Transport, TransportHandler } from "../../transport.ts";
import { type MqttDoor, openMqttDoor } from "./mqtt-door.ts";

export class FakeTransport implements Transport {
  readonly peer: Peer = { address: "192.0.2.1", kind: "simulated" };
  handler: TransportHandler | undefined;
  readonly sent: Buffer[] = [];
  /** The kernel takes nothing while true. */
  isBlocked = false;
  isPaused = false;
  pauses = 0;
  closedBecause: string | undefined;
  #waiting: { bytes: number; done: (() => void) | undefined }[] = [];

  get pendingBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  send(bytes: Buffer, done?: () => void): void {
    this.sent.push(Buffer.from(bytes));
    if (this.isBlocked) this.#waiting.push({ bytes: bytes.length, done });
    else done?.();
  }

  /** The peer reads again. */
  unblock(): void {
    this.isBlocked = false;
    if (this.#waiting.length === 0) return;
    for (const { done } of this.#waiting.splice(0)) done?.();
    this.handler?.drained();
  }

  pause(): void {
    this.isPaused = true;
    this.pauses++;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.#close("ended");
  }

  destroy(reason: string): void {
    this.#close(reason);
  }

  /** The stream breaks. */
  cut(): void {
    this.#close("cut");
    this.handler?.closed("cut");
  }

  #close(reason: string): void {
    this.closedBecause ??= reason;
  }
}

/** A client of the door: packets in, packets out. */
export class DoorClient {
  readonly transport: FakeTransport = new FakeTransport();
  readonly version: ProtocolVersion;
  readonly #door: Door;
  readonly #handler: TransportHandler;
  readonly #decoder: PacketDecoder;
  readonly #decoded: Packet[] = [];
  #read = 0;

  constructor(door: Door, version: ProtocolVersion) {
    this.#door = door;
    this.version = version;
    this.#handler = door.mqtt.accept(this.transport);
    this.transport.handler = this.#handler;
    const decoded = this.#decoded;
    this.#decoder = new PacketDecoder(
      {
        role: "client",
        maxPacketSize: 1 << 24,
        userPropertiesMax: 99,
        userPropertyBytesMax: 9_999,
        subscriptionsMax: 9_999,
        topicAliasMax: 99,
      },
      {
        publish: (view) => decoded.push(publishPacketOf(view)) > 0,
        packet: (packet) => decoded.push(packet) > 0,
        ack: (type, packetId, reasonCode, properties) =>
          decoded.push({ type, packetId, reasonCode, ...(properties && { properties }) } as Packet) > 0,
        failed: (failure) => {
          throw new Error(`the door sent what is no packet: ${failure.reason}`);
        },
      },
    );
    this.#decoder.version = version;
  }

  get isClosed(): boolean {
    return this.transport.closedBecause !== undefined;
  }

  /** All packets in one chunk. */
  send(...packets: Packet[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  sendBytes(bytes: Buffer): void {
    this.#handler.bytes(bytes, 0, bytes.length);
    this.#door.runSoon();
  }

  /** Packets that came since the last call. */
  received(): Packet[] {
    this.#door.runSoon();
    for (; this.#read < this.transport.sent.length; this.#read++) {
      const bytes = this.transport.sent[this.#read] as Buffer;
      this.#decoder.push(bytes, 0, bytes.length);
    }
    return this.#decoded.splice(0);
  }

  types(): number[] {
    return this.received().map(({ type }) => type);
  }

  connect(wish: Partial<ConnectPacket> = {}): this {
    this.send({
      type: PacketType.CONNECT,
      version: this.version,
      cleanStart: true,
      keepAlive: 60,
      clientId: "c",
      ...wish,
    });
    this.#door.world.commit();
    return this;
  }
}

export interface DoorOptions extends WorldOptions {
  /** By user name; everybody is `dev` when there is none. */
  readonly principalOf?: (username: string | undefined) => string | undefined;
  readonly queues?: Pick<Queues, "settle">;
  /** Instead of `principalOf`. */
  readonly authenticator?: Authenticator;
  /** Instead of one that knows the keys of the world. */
  readonly signatures?: SignatureVerifier;
}

export class Door {
  readonly world: World;
  readonly mqtt: MqttDoor;
  /** Of each connection that was attached, in order. */
  readonly links: Link[] = [];
  readonly audited: { event: string; detail: Readonly<Record<string, string | number>> }[] = [];
  readonly #timers: { at: number; run: () => void; isCancelled: boolean }[] = [];
  readonly #soon: (() => void)[] = [];

  readonly limitHits: string[] = [];

  constructor(options: DoorOptions = {}) {
    this.world = new World(options);
    const { principalOf, queues } = options;
    const { machine } = this.world;
    const attach = machine.attach.bind(machine);
    machine.attach = (link, request) => {
      this.links.push(link);
      return attach(link, request);
    };
    const limits = { ...defaultLimits, ...options.limits };
    this.mqtt = openMqttDoor({
      engine: machine,
      queues: queues ?? machine.queues,
      limits,
      rates: new RateLimiter({
        limits,
        monotonic: () => this.world.clock.monotonic(),
        limitHit: (limit) => this.limitHits.push(limit),
      }),
      clock: this.world.clock,
      timers: {
        after: (milliseconds, run) => this.#after(milliseconds, run),
        soon: (run) => void this.#soon.push(run),
      },
      random: { bytes: (length) => new Uint8Array(length).fill(7) },
      signatures: options.signatures ?? new JournaledKeysVerifier(machine),
      authenticator: options.authenticator ?? {
        authenticate: (username) => {
          const principal = principalOf === undefined ? "dev" : principalOf(username);
          return principal === undefined ? { refused: "no" } : { principal, keyId: "", method: "none" };
        },
        methods: [],
        begin: () => ({ refused: "no method is served" }),
      },
      audit: (event, detail) => this.audited.push({ event, detail }),
    });
  }

  client(version: ProtocolVersion = 5): DoorClient {
    return new DoorClient(this, version);
  }

  /** A client that is connected, its CONNACK read. */
  connected(clientId: string, wish: Partial<ConnectPacket> = {}, version: ProtocolVersion = 5): DoorClient {
    const client = this.client(version).connect({ clientId, ...wish });
    client.received();
    return client;
  }

  commit(): void {
    this.world.commit();
    this.runSoon();
  }

  runSoon(): void {
    while (this.#soon.length > 0) this.#soon.shift()?.();
  }

  wait(milliseconds: number): void {
    this.world.wait(milliseconds);
    const now = this.world.clock.monotonic();
    for (const timer of this.#timers.splice(0)) {
      if (timer.at <= now && !timer.isCancelled) timer.run();
      else if (!timer.isCancelled) this.#timers.push(timer);
    }
    this.mqtt.sweep(now);
    this.runSoon();
  }

  #after(milliseconds: number, run: () => void): Timer {
    const timer = { at: this.world.clock.monotonic() + milliseconds, run, isCancelled: false };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.isCancelled = true;
      },
    };
  }
}

export function publishPacket(topic: string, payload: string, packetId = 0, properties?: Properties): Packet {
  return {
    type: PacketType.PUBLISH,
    topic,
    payload: Buffer.from(payload),
    qos: packetId === 0 ? 0 : 1,
    retain: false,
    dup: false,
    ...(packetId === 0 ? {} : { packetId }),
    ...(properties === undefined ? {} : { properties }),
  } as Packet;
}

export function subscribePacket(packetId: number, ...filters: string[]): Packet {
  return {
    type: PacketType.SUBSCRIBE,
    packetId,
    subscriptions: filters.map((filter) => ({
      filter,
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    })),
  };
}

export function payloadsOf(packets: readonly Packet[]): string[] {
  return packets.flatMap((packet) =>
    packet.type === PacketType.PUBLISH ? [Buffer.from(packet.payload).toString("utf8")] : [],
  );
}
