/** How the tests of a file share one server and get names nobody else uses. */
import { afterAll, beforeAll, it } from "vitest";
import { unique } from "./names.ts";
import type { WillFields } from "./packets.ts";
import { type ConnectOptions, RawClient } from "./raw-client.ts";
import { Server, type ServerOptions } from "./server.ts";
import type { Endpoint } from "./streams.ts";
import { target } from "./target.ts";

export { sleep, topic, unique } from "./names.ts";

/** `MESS_TEST_TRANSPORT=websocket` runs everything that goes through `useServer` over WebSocket. */
const transport = process.env["MESS_TEST_TRANSPORT"] === "websocket" ? "websocket" : "socket";

export interface Shared {
  readonly server: Server;
  readonly endpoint: Endpoint;
  /** A client with a new id, Clean Start 1 unless told otherwise. */
  connect(options?: ConnectOptions): Promise<RawClient>;
  /** The transport alone. */
  open(version?: 4 | 5): Promise<RawClient>;
}

/** Starts one server for the file. Everything opened through it is closed with it. */
export function useServer(options: ServerOptions = {}): Shared {
  let server: Server | undefined;
  beforeAll(async () => {
    server = await Server.start(options);
  }, 30_000);
  afterAll(async () => {
    await server?.remove();
  });
  const current = (): Server => {
    if (server === undefined) throw new Error("the server has not started");
    return server;
  };
  const chosen = (): Endpoint => (transport === "websocket" ? current().webSocket : current().mqtt);
  return {
    get server() {
      return current();
    },
    get endpoint() {
      return current().mqtt;
    },
    connect: (fields = {}) => RawClient.connect(chosen(), { clientId: unique("c"), ...fields }),
    open: (version = 5) => RawClient.open(chosen(), version),
  };
}

export interface StatementOptions {
  /**
   * Why mosquitto 2.0.11 is known not to do this: the test must then fail there, so that the note stays true.
   * A note that begins with "sometimes" lets it pass too.
   */
  readonly mosquitto?: string;
  /** The deviation is in this version only. */
  readonly mosquittoVersion?: 4 | 5;
  /** For what the standard leaves open and mess decides. */
  readonly onlyMess?: boolean;
  readonly timeout?: number;
  /** Alone, not beside the other tests of the file. */
  readonly sequential?: boolean;
}

/** One test named by the ids of the statements that it shows. Runs beside the others of its file. */
export function statement(title: string, body: () => Promise<void>, options: StatementOptions = {}): void {
  const skipped = target === "mosquitto" && options.onlyMess === true;
  const define = skipped ? it.skip : options.sequential === true ? it : it.concurrent;
  const deviates = target === "mosquitto" ? options.mosquitto : undefined;
  const named = deviates === undefined ? title : `${title} (mosquitto deviates: ${deviates})`;
  define(
    named,
    async () => {
      if (deviates === undefined) return body();
      try {
        await body();
      } catch {
        return;
      }
      if (!deviates.startsWith("sometimes")) throw new Error("the known deviation is gone: remove the note");
    },
    options.timeout ?? 20_000,
  );
}

export const versions = [4, 5] as const;

/** The same test once for each version of the protocol. */
export function bothVersions(
  title: string,
  body: (version: 4 | 5) => Promise<void>,
  options: StatementOptions = {},
): void {
  for (const version of versions) {
    const { mosquitto, mosquittoVersion, ...others } = options;
    const deviates = mosquitto !== undefined && (mosquittoVersion ?? version) === version;
    const chosen = deviates ? { ...others, mosquitto } : others;
    statement(`${title} (${version === 4 ? "3.1.1" : "5.0"})`, () => body(version), chosen);
  }
}

/** A session that outlives its connection, said as each version says it. */
export function lasting(
  version: 4 | 5,
  seconds = 600,
): { version: 4 | 5; cleanStart: boolean; properties?: { sessionExpiryInterval: number } } {
  return version === 4
    ? { version, cleanStart: false }
    : { version, cleanStart: false, properties: { sessionExpiryInterval: seconds } };
}

export const will = (name: string, payload = "gone", more: Partial<WillFields> = {}): WillFields => ({
  topic: name,
  payload,
  ...more,
});
