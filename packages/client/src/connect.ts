import diagnosticsChannel from "node:diagnostics_channel";
import { type ConnectOptions, connectOn } from "./connect-options.ts";
import type { Mess } from "./mess.ts";
import { openNodeTransport } from "./transport/node-transport.ts";
import type { OpenTransport } from "./transport/transport.ts";
import { openWebSocketTransport } from "./transport/web-socket-transport.ts";

const openTransport: OpenTransport = (options, events) =>
  (options.address.webSocket ? openWebSocketTransport : openNodeTransport)(options, events);

/**
 * Connects to `mqtts://host[:port]` (or `mqtt://` on this machine; `wss://host/mqtt` from Node 22 on) and resolves when the
 * broker has accepted.
 *
 * @throws MessError UNREACHABLE, TLS_FAILED, NOT_AUTHORIZED, REFUSED, TIMEOUT, ABORTED, INVALID_ARGUMENT, CLEARTEXT_CREDENTIALS
 */
export function connect(url: string, options: ConnectOptions = {}): Promise<Mess> {
  return connectOn({ openTransport, diagnostics }, url, options);
}

const channels = {
  "mess:publish": diagnosticsChannel.channel("mess:publish"),
  "mess:receive": diagnosticsChannel.channel("mess:receive"),
  "mess:state": diagnosticsChannel.channel("mess:state"),
};

function diagnostics(name: keyof typeof channels, message: unknown): void {
  if (channels[name].hasSubscribers) channels[name].publish(message);
}
