/** The client as browsers get it: the same, over WebSocket alone, and nothing of Node. */
import { type ConnectOptions, connectOn } from "./connect-options.ts";
import type { Mess } from "./mess.ts";
import { MessError } from "./mess-error.ts";
import type { OpenTransport } from "./transport/transport.ts";
import { openWebSocketTransport } from "./transport/web-socket-transport.ts";

export * from "./sdk.ts";

const openTransport: OpenTransport = (options, events) => {
  if (options.address.webSocket) return openWebSocketTransport(options, events);
  throw new MessError("INVALID_ARGUMENT", "a browser connects over WebSocket", { hint: "use wss://HOST:PORT/mqtt" });
};

/**
 * Connects to `wss://host[:port]/mqtt` (or `ws://` on this machine) and resolves when the broker has accepted.
 *
 * @throws MessError
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Mess> {
  return connectOn({ openTransport, diagnostics: undefined }, url, options);
}
