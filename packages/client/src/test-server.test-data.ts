/** A small MQTT server on the codec, for tests: no storage, no rights, and a hook to misbehave. */
import net from "node:net";
import tls from "node:tls";
import {
  type ConnackPacket,
  type ConnectPacket,
  encodePacket,
  type Packet,
  PacketDecoder,
  PacketType,
  type ProtocolVersion,
  type PublishPacket,
  publishPacketOf,
  type Subscription,
} from "@mess/wire";

export interface TestServerOptions {
  readonly connack?: (connect: ConnectPacket) => Omit<ConnackPacket, "type">;
  /** Sees each packet first; true: it was dealt with. */
  readonly intercept?: (packet: Packet, connection: TestConnection) => boolean;
  readonly tls?: tls.TlsOptions;
  /** Hears of each TLS connection. */
  readonly onSecure?: (socket: tls.TLSSocket) => void;
}

export class TestConnection {
  readonly socket: net.Socket;
  version: ProtocolVersion = 5;
  connect: ConnectPacket | undefined;
  readonly subscriptions: Subscription[] = [];
  readonly received: Packet[] = [];
  #nextId = 1;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  send(packet: Packet): void {
    this.socket.write(encodePacket(packet, this.version));
  }

  deliver(publish: PublishPacket): void {
    const matching = this.subscriptions.find(({ filter }) => matches(filter, publish.topic));
    if (matching === undefined) return;
    const qos = publish.qos < matching.qos ? publish.qos : matching.qos;
    const { packetId: _own, ...rest } = publish;
    if (qos === 0) return this.send({ ...rest, qos, dup: false, retain: false });
    this.send({ ...rest, qos, dup: false, retain: false, packetId: this.#nextId++ });
  }
}

export class TestServer {
  readonly connections: TestConnection[] = [];
  readonly #options: TestServerOptions;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  constructor(options: TestServerOptions = {}) {
    this.#options = options;
    const accept = (socket: net.Socket): void => this.#accept(socket);
    this.#server =
      options.tls === undefined
        ? net.createServer(accept)
        : tls.createServer(options.tls, (socket) => {
            options.onSecure?.(socket);
            accept(socket);
          });
  }

  /** Listens on loopback; returns the URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as net.AddressInfo;
    return `${this.#options.tls === undefined ? "mqtt" : "mqtts"}://127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The first connection that completed CONNECT. */
  get connection(): TestConnection {
    const found = this.connections[0];
    if (found === undefined) throw new Error("no client connected");
    return found;
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    const connection = new TestConnection(socket);
    const decoder = new PacketDecoder(
      {
        role: "server",
        maxPacketSize: 1 << 24,
        userPropertiesMax: 100,
        userPropertyBytesMax: 65_536,
        subscriptionsMax: 1000,
      },
      {
        publish: (view) => this.#packet(publishPacketOf(view), connection),
        packet: (packet) => this.#packet(packet, connection),
        ack: (type, packetId, reasonCode) => this.#packet({ type: type as 4, packetId, reasonCode }, connection),
        failed: () => socket.destroy(),
      },
    );
    socket.on("data", (bytes: Buffer) => decoder.push(bytes, 0, bytes.length));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #packet(packet: Packet, connection: TestConnection): boolean {
    connection.received.push(packet);
    if (this.#options.intercept?.(packet, connection) !== true) this.#answer(packet, connection);
    return !connection.socket.destroyed;
  }

  #answer(packet: Packet, connection: TestConnection): void {
    switch (packet.type) {
      case PacketType.CONNECT: {
        connection.version = packet.version;
        connection.connect = packet;
        const connack = this.#options.connack?.(packet) ?? { sessionPresent: false, reasonCode: 0 };
        connection.send({ type: PacketType.CONNACK, ...connack });
        if (connack.reasonCode === 0) this.connections.push(connection);
        else connection.socket.end();
        return;
      }
      case PacketType.PUBLISH:
        return this.#publish(packet, connection);
      case PacketType.PUBREL:
        return connection.send({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0 });
      case PacketType.PUBREC:
        return connection.send({ type: PacketType.PUBREL, packetId: packet.packetId, reasonCode: 0 });
      case PacketType.SUBSCRIBE:
        connection.subscriptions.push(...packet.subscriptions);
        return connection.send({
          type: PacketType.SUBACK,
          packetId: packet.packetId,
          reasonCodes: packet.subscriptions.map(({ qos }) => qos),
        });
      case PacketType.UNSUBSCRIBE:
        return connection.send({
          type: PacketType.UNSUBACK,
          packetId: packet.packetId,
          reasonCodes: packet.filters.map(() => 0),
        });
      case PacketType.PINGREQ:
        return connection.send({ type: PacketType.PINGRESP });
      case PacketType.DISCONNECT:
        connection.socket.end();
        return;
      default:
        return;
    }
  }

  #publish(packet: PublishPacket, connection: TestConnection): void {
    for (const receiver of this.connections) receiver.deliver(packet);
    const { packetId } = packet;
    if (packetId === undefined) return;
    connection.send({ type: packet.qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, packetId, reasonCode: 0 });
  }
}

function matches(filter: string, topic: string): boolean {
  const levels = topic.split("/");
  const wanted = filter.split("/");
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
