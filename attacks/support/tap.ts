/** Somebody on the way between client and broker, who hears every byte, and may change some. */
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "../../test/support/streams.ts";

const same = (bytes: Buffer): Buffer => bytes;

export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #heard: Buffer[] = [];
  readonly #endpoint: Endpoint;

  readonly #change: (bytes: Buffer, fromClient: boolean) => Buffer;

  private constructor(endpoint: Endpoint, change: (bytes: Buffer, fromClient: boolean) => Buffer) {
    this.#endpoint = endpoint;
    this.#change = change;
    this.#server = createServer((client) => this.#join(client));
  }

  /** `change` gives what goes on instead of what came. */
  static async on(endpoint: Endpoint, change: (bytes: Buffer, fromClient: boolean) => Buffer = same): Promise<Tap> {
    const tap = new Tap(endpoint, change);
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  /** To connect to instead. */
  get endpoint(): Endpoint {
    return {
      ...this.#endpoint,
      from: undefined,
      host: "127.0.0.1",
      port: (this.#server.address() as AddressInfo).port,
    };
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const { host, port } = this.#endpoint;
    const server = connectTcp({ host, port });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes: Buffer) => {
        this.#heard.push(bytes);
        to.write(this.#change(bytes, from === client));
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }
}
