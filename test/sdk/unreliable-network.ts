/** A TCP proxy that is as bad as a network can be: it cuts, freezes, and lets nobody in for a while. Seeded. */
import net from "node:net";

export interface NetworkOptions {
  readonly port: number;
  readonly random: () => number;
  /** Milliseconds between two faults, on average. */
  readonly everyMs: number;
}

interface Pair {
  readonly client: net.Socket;
  readonly server: net.Socket;
}

export class UnreliableNetwork {
  cuts = 0;
  freezes = 0;
  outages = 0;
  #listening = 0;
  #closed = false;
  #down = false;
  readonly #options: NetworkOptions;
  readonly #pairs = new Set<Pair>();
  readonly #server: net.Server;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: NetworkOptions) {
    this.#options = options;
    this.#server = net.createServer((client) => this.#accept(client));
  }

  static async open(options: NetworkOptions): Promise<UnreliableNetwork> {
    const network = new UnreliableNetwork(options);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    network.#listening = (network.#server.address() as net.AddressInfo).port;
    return network;
  }

  get port(): number {
    return this.#listening;
  }

  /** Faults begin. */
  start(): void {
    const { random, everyMs } = this.#options;
    this.#timer = setTimeout(
      () => {
        this.#fault();
        if (!this.#closed) this.start();
      },
      random() * 2 * everyMs,
    );
  }

  /** A good network from now on. */
  calm(): void {
    clearTimeout(this.#timer);
    this.#down = false;
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const pair of this.#pairs) cut(pair);
    this.#server.close();
  }

  #accept(client: net.Socket): void {
    if (this.#down) return void client.resetAndDestroy();
    const server = net.connect(this.#options.port, "127.0.0.1");
    const pair = { client, server };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => client.write(bytes));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }

  #fault(): void {
    const { random } = this.#options;
    const kind = random();
    if (kind < 0.1) return this.#outage(random() * 1500);
    for (const pair of this.#pairs) {
      // Not everybody is hit each time.
      if (random() < 0.5) continue;
      if (kind < 0.7) {
        this.cuts += 1;
        cut(pair);
      } else {
        this.freezes += 1;
        freeze(pair, random() * 1000);
      }
    }
  }

  /** Everything is cut, and nobody gets in for a while. */
  #outage(milliseconds: number): void {
    this.outages += 1;
    this.#down = true;
    for (const pair of this.#pairs) cut(pair);
    setTimeout(() => {
      this.#down = false;
    }, milliseconds);
  }
}

/** Bytes on their way are lost, in both directions. */
function cut({ client, server }: { readonly client: net.Socket; readonly server: net.Socket }): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}

function freeze({ client, server }: Pair, milliseconds: number): void {
  client.pause();
  server.pause();
  setTimeout(() => {
    client.resume();
    server.resume();
  }, milliseconds);
}
