import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type PacketHandler, PacketSplitter } from "./packet-splitter.ts";
import { type ConnectFields, connectPacket, disconnectPacket, PacketType, subscribePacket } from "./packets.ts";

/** Where the broker listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Certificate to trust, PEM; with it the connection is TLS. */
  readonly ca?: string;
}

export interface LinkOptions extends ConnectFields {
  readonly target: Target;
  /** Source address, for loads that must come from many. */
  readonly localAddress?: string;
  /** Called at the CONNACK: packets may follow it in the same read. */
  readonly onOpen?: (link: Link) => void;
}

const connectDeadlineMs = 60_000;
const filtersPerPacket = 50;
/** One buffer for the reads of all connections of a thread: what is read is used up before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** A connection to a broker, past its CONNACK. */
export class Link {
  /** The broker had kept the session of this client id. */
  sessionPresent = false;
  onPacket: PacketHandler = () => undefined;
  /** After all packets of one read. */
  onReadEnd: () => void = () => undefined;
  /** The broker closed the connection, or it broke. */
  onLost: (error: Error) => void = () => undefined;
  readonly #socket: Socket;
  readonly #splitter: PacketSplitter;
  #ended = false;

  private constructor(options: LinkOptions) {
    this.#splitter = new PacketSplitter((first, bytes, at, end) => this.onPacket(first, bytes, at, end));
    const onread = {
      buffer: readBuffer,
      callback: (length: number): boolean => {
        this.#splitter.push(readBuffer, length);
        this.onReadEnd();
        return true;
      },
    };
    const { host, port, ca } = options.target;
    const { localAddress } = options;
    const address = { host, port, onread, noDelay: true, ...(localAddress !== undefined && { localAddress }) };
    // The certificate is made for this run; its name is not what is measured.
    this.#socket =
      ca === undefined
        ? connectTcp(address)
        : connectTls({ ...address, ca, servername: "localhost", checkServerIdentity: () => undefined });
    let lastError = new Error("the broker closed the connection");
    this.#socket.on("error", (error) => {
      lastError = error;
    });
    this.#socket.on("close", () => {
      if (!this.#ended) this.onLost(lastError);
    });
  }

  static open(options: LinkOptions): Promise<Link> {
    return new Promise((resolve, reject) => {
      const link = new Link(options);
      const deadline = setTimeout(() => link.#socket.destroy(new Error("no CONNACK in time")), connectDeadlineMs);
      link.onLost = (error): void => {
        clearTimeout(deadline);
        reject(error);
      };
      link.onPacket = (first, bytes, at): void => {
        clearTimeout(deadline);
        const code = bytes[at + 1];
        if ((first & 0xf0) !== PacketType.connack || code !== 0) {
          void link.close();
          reject(new Error(`the broker answered CONNECT with packet 0x${first.toString(16)}, code ${code}`));
          return;
        }
        link.sessionPresent = (bytes[at] as number & 1) === 1;
        link.onPacket = (): void => undefined;
        options.onOpen?.(link);
        resolve(link);
      };
      link.write(connectPacket(options));
    });
  }

  /** Resolves when all filters are granted the asked QoS. */
  async subscribe(filters: readonly string[], qos: 0 | 1): Promise<void> {
    for (let from = 0; from < filters.length; from += filtersPerPacket) {
      await this.#subscribeSome(filters.slice(from, from + filtersPerPacket), qos);
    }
  }

  #subscribeSome(filters: readonly string[], qos: 0 | 1): Promise<void> {
    return new Promise((resolve, reject) => {
      const before = { onPacket: this.onPacket, onLost: this.onLost };
      this.onLost = reject;
      this.onPacket = (first, bytes, at, end): void => {
        if ((first & 0xf0) !== PacketType.suback) {
          before.onPacket(first, bytes, at, end);
          return;
        }
        Object.assign(this, before);
        const refused = bytes.subarray(at + 2, end).findIndex((code) => code !== qos);
        if (refused < 0) resolve();
        else reject(new Error(`the broker did not grant QoS ${qos} on ${filters[refused]}`));
      };
      this.write(subscribePacket(1, filters, qos));
    });
  }

  /** The bytes belong to the connection until `done`. */
  write(bytes: Buffer, done?: () => void): void {
    this.#socket.write(bytes, done);
  }

  /** DISCONNECT, then the end of the connection. Resolves when the socket is closed. */
  close(): Promise<void> {
    this.#ended = true;
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      this.#socket.once("close", () => resolve());
      this.#socket.end(disconnectPacket);
      // A broker that does not close its side must not hold up the run.
      setTimeout(() => this.#socket.destroy(), 1_000).unref();
    });
  }

  /** At once, without a word. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }
}
