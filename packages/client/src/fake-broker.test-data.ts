/**
 * A broker of a few hundred lines for tests of the client: in this process, without sockets, with everything a test wants
 * to see, and with connections that break where the test says. It keeps sessions, ids of messages and leases.
 */
import {
  type ConnectPacket,
  encodePacket,
  type Packet,
  PacketDecoder,
  PacketType,
  type Properties,
  type PublishPacket,
  publishPacketOf,
  type Subscription,
} from "@mess/wire";
import { userProperty } from "./connection/user-property.ts";
import { MessError } from "./mess-error.ts";
import type { OpenTransport, TransportEvents } from "./transport/transport.ts";

export interface Stored {
  readonly offset: number;
  readonly topic: string;
  readonly payload: string;
  readonly properties: Properties;
  readonly retain: boolean;
}

interface Flight {
  readonly packetId: number;
  readonly packet: PublishPacket;
}

interface FakeSession {
  readonly clientId: string;
  readonly subscriptions: Map<string, Subscription & { identifier: number; from?: string }>;
  readonly backlog: PublishPacket[];
  readonly inFlight: Map<number, Flight>;
  nextId: number;
  connection: FakeConnection | undefined;
}

export interface FakeLease {
  readonly token: string;
  readonly stored: Stored;
  readonly connection: FakeConnection;
  readonly attempt: number;
}

export class FakeQueue {
  readonly ready: { stored: Stored; attempt: number }[] = [];
  readonly leases = new Map<string, FakeLease>();
  readonly dead: { stored: Stored; reason: string; attempts: number }[] = [];
  readonly acked: string[] = [];
  readonly settlements: string[] = [];
  readonly consumers: { connection: FakeConnection; credit: number; identifier: number }[] = [];
  readonly filter: string;
  maxDeliveries = 3;

  constructor(filter: string) {
    this.filter = filter;
  }
}

export class FakeConnection {
  readonly events: TransportEvents;
  readonly received: Packet[] = [];
  connect: ConnectPacket | undefined;
  session: FakeSession | undefined;
  open = true;
  receiveMaximum = 65_535;
  /** Deliveries of queues that are not acknowledged. */
  readonly leasePackets = new Set<number>();
  /** Broker to client: what is on its way. */
  #outgoing: Uint8Array[] = [];
  #scheduled = false;

  constructor(events: TransportEvents) {
    this.events = events;
  }

  send(packet: Packet): void {
    if (!this.open) return;
    this.#outgoing.push(encodePacket(packet, 5));
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const bytes of this.#outgoing.splice(0)) if (this.open) this.events.data(bytes, 0, bytes.length);
    });
  }

  /** The network is gone: what is on its way, in both directions, is lost. */
  cut(error: Error | "orderly" = new Error("cut")): void {
    if (!this.open) return;
    this.open = false;
    setImmediate(() => this.events.closed(error === "orderly" ? undefined : error));
  }
}

export interface FakeBrokerOptions {
  /** Sees each packet first; true: it was dealt with. */
  intercept?: (packet: Packet, connection: FakeConnection) => boolean;
  connack?: (connect: ConnectPacket) => { reasonCode: number; properties?: Properties } | undefined;
}

export class FakeBroker {
  readonly options: FakeBrokerOptions;
  readonly log: Stored[] = [];
  readonly connections: FakeConnection[] = [];
  readonly sessions = new Map<string, FakeSession>();
  readonly queues = new Map<string, FakeQueue>();
  readonly ids = new Map<string, number>();
  readonly retained = new Map<string, Stored>();
  /** False: nobody gets a connection. */
  reachable = true;
  opened = 0;
  readonly urls: string[] = [];
  #lease = 0;

  constructor(options: FakeBrokerOptions = {}) {
    this.options = options;
  }

  /** For the option `transport` of `connect`. */
  readonly transport: OpenTransport = async ({ address }, events) => {
    this.opened += 1;
    this.urls.push(`${address.host}:${address.port}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.reachable) throw new MessError("UNREACHABLE", "nobody listens");
    const connection = new FakeConnection(events);
    this.connections.push(connection);
    const decoder = new PacketDecoder(
      {
        role: "server",
        maxPacketSize: 1 << 24,
        userPropertiesMax: 100,
        userPropertyBytesMax: 65_536,
        subscriptionsMax: 100,
      },
      {
        publish: (view) => this.#packet(publishPacketOf(view), connection),
        packet: (packet) => this.#packet(packet, connection),
        ack: (type, packetId, reasonCode) => this.#packet({ type: type as 4, packetId, reasonCode }, connection),
        failed: (failure) => {
          throw new Error(`the client sent nonsense: ${failure.reason}`);
        },
      },
    );
    const close = (): void => this.#closed(connection);
    return {
      write: (bytes) => {
        setImmediate(() => {
          if (connection.open) decoder.push(bytes, 0, bytes.length);
        });
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      end: () => setImmediate(close),
      destroy: close,
    };
  };

  /** Connections that stand. */
  get open(): FakeConnection[] {
    return this.connections.filter(({ open }) => open);
  }

  cutAll(): void {
    for (const connection of this.open) {
      connection.cut();
      this.#detach(connection);
    }
  }

  cut(connection: FakeConnection): void {
    connection.cut();
    this.#detach(connection);
  }

  queue(name: string, filter: string): FakeQueue {
    const queue = new FakeQueue(filter);
    this.queues.set(name, queue);
    return queue;
  }

  /** As if another client had published. */
  publish(topic: string, payload: string, properties: Properties = {}, retain = false): Stored {
    const stored = { offset: this.log.length, topic, payload, properties, retain };
    this.log.push(stored);
    if (retain) this.retained.set(topic, stored);
    for (const session of this.sessions.values()) this.#route(session, stored);
    for (const [name, queue] of this.queues) {
      if (!matches(queue.filter, topic)) continue;
      queue.ready.push({ stored, attempt: 1 });
      this.#pump(name, queue);
    }
    return stored;
  }

  /** The lease runs out: a failed attempt. */
  expire(name: string, token: string): void {
    const queue = this.queues.get(name);
    const lease = queue?.leases.get(token);
    if (queue === undefined || lease === undefined) return;
    queue.leases.delete(token);
    this.#failed(name, queue, lease, "expired");
  }

  #packet(packet: Packet, connection: FakeConnection): boolean {
    connection.received.push(packet);
    if (this.options.intercept?.(packet, connection) !== true) this.#answer(packet, connection);
    return connection.open;
  }

  #answer(packet: Packet, connection: FakeConnection): void {
    switch (packet.type) {
      case PacketType.CONNECT:
        return this.#connect(packet, connection);
      case PacketType.PUBLISH:
        return this.#published(packet, connection);
      case PacketType.PUBACK: {
        if (connection.leasePackets.delete(packet.packetId)) {
          for (const [name, queue] of this.queues) this.#pump(name, queue);
          return;
        }
        connection.session?.inFlight.delete(packet.packetId);
        if (connection.session !== undefined) this.#push(connection.session);
        return;
      }
      case PacketType.SUBSCRIBE:
        return this.#subscribe(packet.packetId, packet.subscriptions, packet.properties ?? {}, connection);
      case PacketType.UNSUBSCRIBE:
        for (const filter of packet.filters) this.#unsubscribe(filter, connection);
        return connection.send({
          type: PacketType.UNSUBACK,
          packetId: packet.packetId,
          reasonCodes: packet.filters.map(() => 0),
        });
      case PacketType.PINGREQ:
        return connection.send({ type: PacketType.PINGRESP });
      case PacketType.DISCONNECT: {
        const expiry =
          packet.properties?.sessionExpiryInterval ?? connection.connect?.properties?.sessionExpiryInterval ?? 0;
        if (expiry === 0 && connection.session !== undefined) this.sessions.delete(connection.session.clientId);
        return this.#closed(connection);
      }
      default:
        return;
    }
  }

  #connect(packet: ConnectPacket, connection: FakeConnection): void {
    connection.connect = packet;
    const answer = this.options.connack?.(packet);
    if (answer !== undefined && answer.reasonCode !== 0) {
      connection.send({ type: PacketType.CONNACK, sessionPresent: false, ...answer });
      return;
    }
    connection.receiveMaximum = packet.properties?.receiveMaximum ?? 65_535;
    const known = packet.cleanStart ? undefined : this.sessions.get(packet.clientId);
    known?.connection?.cut();
    const session = known ?? {
      clientId: packet.clientId,
      subscriptions: new Map(),
      backlog: [],
      inFlight: new Map(),
      nextId: 1,
      connection: undefined,
    };
    this.sessions.set(packet.clientId, session);
    session.connection = connection;
    connection.session = session;
    const responseInformation =
      packet.properties?.requestResponseInformation === true ? `reply/me/${packet.clientId}` : undefined;
    connection.send({
      type: PacketType.CONNACK,
      sessionPresent: known !== undefined,
      reasonCode: 0,
      properties: { ...answer?.properties, ...(responseInformation !== undefined && { responseInformation }) },
    });
    for (const { packet: again } of session.inFlight.values()) connection.send({ ...again, dup: true });
    this.#push(session);
  }

  #published(packet: PublishPacket, connection: FakeConnection): void {
    const { packetId, properties = {} } = packet;
    const answer = (reasonCode: number, more: Properties = {}): void => {
      if (packetId !== undefined) connection.send({ type: PacketType.PUBACK, packetId, reasonCode, properties: more });
    };
    if (packet.topic.startsWith("$mess/lease/")) return answer(this.#settle(packet, connection));
    const id = userProperty(properties, "mess-id");
    const first = id === undefined ? undefined : this.ids.get(id);
    if (first !== undefined) {
      return answer(0, {
        userProperties: [
          ["mess-offset", String(first)],
          ["mess-duplicate", "1"],
        ],
      });
    }
    const nobody = ![...this.sessions.values()].some(({ subscriptions }) =>
      [...subscriptions.keys()].some((f) => matches(f, packet.topic)),
    );
    const stored = this.publish(packet.topic, new TextDecoder().decode(packet.payload), properties, packet.retain);
    if (id !== undefined) this.ids.set(id, stored.offset);
    answer(nobody ? 0x10 : 0, { userProperties: [["mess-offset", String(stored.offset)]] });
  }

  #subscribe(
    packetId: number,
    subscriptions: Subscription[],
    properties: Properties,
    connection: FakeConnection,
  ): void {
    const [subscription] = subscriptions;
    const { session } = connection;
    if (subscription === undefined || session === undefined) return;
    const identifier = properties.subscriptionIdentifiers?.[0] ?? 0;
    const { filter } = subscription;
    const name = /^\$mess\/queue\/([^/]+)\/#$/u.exec(filter)?.[1];
    const answer = (code: number, reasonString?: string): void =>
      connection.send({
        type: PacketType.SUBACK,
        packetId,
        reasonCodes: [code],
        ...(reasonString !== undefined && { properties: { reasonString } }),
      });
    if (name !== undefined) {
      const queue = this.queues.get(name);
      if (queue === undefined) return answer(0x87, `there is no subscription "${name}"`);
      answer(1);
      const credit = Number(userProperty(properties, "mess-credit") ?? 1);
      queue.consumers.push({ connection, credit, identifier });
      return this.#pump(name, queue);
    }
    session.subscriptions.set(filter, { ...subscription, identifier });
    answer(subscription.qos);
    const from = userProperty(properties, "mess-from");
    if (from !== undefined && from !== "latest") {
      const start = from === "earliest" ? 0 : Number(from);
      for (const stored of this.log)
        if (stored.offset >= start && matches(filter, stored.topic)) this.#route(session, stored);
    } else if (subscription.retainHandling !== 2) {
      for (const stored of this.retained.values()) {
        if (matches(filter, stored.topic)) this.#route(session, stored, true);
      }
    }
  }

  #unsubscribe(filter: string, connection: FakeConnection): void {
    connection.session?.subscriptions.delete(filter);
    const name = /^\$mess\/queue\/([^/]+)\/#$/u.exec(filter)?.[1];
    if (name !== undefined) this.#returnLeases(connection);
  }

  #route(session: FakeSession, stored: Stored, retain = false): void {
    const matching = [...session.subscriptions.values()].filter(({ filter }) => matches(filter, stored.topic));
    if (matching.length === 0) return;
    const qos = Math.max(...matching.map((subscription) => subscription.qos)) as 0 | 1;
    const packet: PublishPacket = {
      type: PacketType.PUBLISH,
      topic: stored.topic,
      payload: new TextEncoder().encode(stored.payload),
      qos,
      retain,
      dup: false,
      properties: {
        ...forwarded(stored),
        subscriptionIdentifiers: matching.map(({ identifier }) => identifier),
      },
    };
    if (qos === 0) return session.connection?.send(packet);
    session.backlog.push(packet);
    this.#push(session);
  }

  #push(session: FakeSession): void {
    const { connection, inFlight, backlog } = session;
    if (connection === undefined || !connection.open) return;
    while (backlog.length > 0 && inFlight.size < connection.receiveMaximum) {
      const packetId = session.nextId++;
      const packet = { ...(backlog.shift() as PublishPacket), packetId };
      inFlight.set(packetId, { packetId, packet });
      connection.send(packet);
    }
  }

  #pump(name: string, queue: FakeQueue): void {
    for (const consumer of queue.consumers) {
      if (!consumer.connection.open) continue;
      const leased = (): number =>
        [...queue.leases.values()].filter(({ connection }) => connection === consumer.connection).length;
      const { leasePackets, receiveMaximum } = consumer.connection;
      while (queue.ready.length > 0 && leased() < consumer.credit && leasePackets.size < receiveMaximum) {
        const { stored, attempt } = queue.ready.shift() as FakeQueue["ready"][number];
        const token = `token-${++this.#lease}`;
        queue.leases.set(token, { token, stored, attempt, connection: consumer.connection });
        const { session } = consumer.connection;
        if (session === undefined) continue;
        const packetId = session.nextId++;
        consumer.connection.leasePackets.add(packetId);
        consumer.connection.send({
          type: PacketType.PUBLISH,
          topic: `$mess/queue/${name}/${stored.topic}`,
          payload: new TextEncoder().encode(stored.payload),
          qos: 1,
          retain: false,
          dup: attempt > 1,
          packetId,
          properties: {
            ...forwarded(stored, [["mess-attempt", String(attempt)]]),
            subscriptionIdentifiers: [consumer.identifier],
            responseTopic: `$mess/lease/${name}`,
            correlationData: new TextEncoder().encode(token),
          },
        });
      }
    }
  }

  #settle(packet: PublishPacket, _connection: FakeConnection): number {
    const name = packet.topic.slice("$mess/lease/".length);
    const queue = this.queues.get(name);
    const token = new TextDecoder().decode(packet.properties?.correlationData);
    const verb = new TextDecoder().decode(packet.payload);
    const lease = queue?.leases.get(token);
    if (queue === undefined || lease === undefined) return 0x83;
    const reason = userProperty(packet.properties, "mess-reason") ?? "";
    const delay = userProperty(packet.properties, "mess-delay");
    queue.settlements.push([verb, lease.stored.payload, reason, delay ?? ""].join(" ").trim());
    if (verb === "extend") return 0;
    queue.leases.delete(token);
    if (verb === "ack") queue.acked.push(lease.stored.payload);
    if (verb === "nack") this.#failed(name, queue, lease, reason);
    if (verb === "reject") queue.dead.push({ stored: lease.stored, reason, attempts: lease.attempt });
    if (verb === "release") queue.ready.unshift({ stored: lease.stored, attempt: lease.attempt });
    setImmediate(() => this.#pump(name, queue));
    return 0;
  }

  #failed(name: string, queue: FakeQueue, lease: FakeLease, reason: string): void {
    if (lease.attempt >= queue.maxDeliveries) {
      queue.dead.push({ stored: lease.stored, reason, attempts: lease.attempt });
    } else {
      queue.ready.push({ stored: lease.stored, attempt: lease.attempt + 1 });
    }
    this.#pump(name, queue);
  }

  #closed(connection: FakeConnection): void {
    if (!connection.open) return;
    connection.cut("orderly");
    this.#detach(connection);
  }

  #detach(connection: FakeConnection): void {
    const { session } = connection;
    if (session?.connection === connection) {
      session.connection = undefined;
      if ((connection.connect?.properties?.sessionExpiryInterval ?? 0) === 0) this.sessions.delete(session.clientId);
    }
    this.#returnLeases(connection);
  }

  #returnLeases(connection: FakeConnection): void {
    for (const [name, queue] of this.queues) {
      const at = queue.consumers.findIndex((consumer) => consumer.connection === connection);
      if (at >= 0) queue.consumers.splice(at, 1);
      for (const lease of [...queue.leases.values()]) {
        if (lease.connection !== connection) continue;
        queue.leases.delete(lease.token);
        queue.ready.unshift({ stored: lease.stored, attempt: lease.attempt });
      }
      this.#pump(name, queue);
    }
  }
}

function forwarded({ offset, properties }: Stored, more: [string, string][] = []): Properties {
  const { userProperties = [], contentType, responseTopic, correlationData } = properties;
  const own: [string, string][] = [["mess-offset", String(offset)], ["mess-publisher", "somebody"], ...more];
  const key = userProperties.find(([name]) => name === "mess-key");
  if (key !== undefined) own.push(["mess-key", key[1]]);
  return {
    userProperties: [...userProperties.filter(([name]) => !name.startsWith("mess-")), ...own],
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData }),
  };
}

function matches(filter: string, topic: string): boolean {
  const share = /^\$share\/[^/]+\/(.*)$/u.exec(filter);
  const wanted = (share?.[1] ?? filter).split("/");
  const levels = topic.split("/");
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
