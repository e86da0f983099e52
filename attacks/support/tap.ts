/** Somebody on the way between client and broker, who hears every byte, and may change some. */
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "../../test/support/streams.ts";

export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #heard: Buffer[] = [];
  readonly #endpoint: Endpoint;

  private constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#server = createServer((client) => this.#join(client));
  }

  static async on(endpoint: Endpoint): Promise<Tap> {
    const tap = new Tap(endpoint);
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  /** To connect to instead. */
  get endpoint(): Endpoint {
    return { ...this.#endpoint, host: "127.0.0.1", port: (this.#server.address() as AddressInfo).port };
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
        to.write(bytes);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }
}
