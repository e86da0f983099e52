import type { Backoff } from "./connection/backoff.ts";
import type { ConnectionOptions } from "./connection/connection.ts";
import type { MessageVerifier } from "./message-signing.ts";
import type { OpenMqttOptions } from "./mqtt/open-mqtt.ts";
import type { OutboxOptions } from "./publish/outbox.ts";
import type { TraceProvider } from "./trace.ts";
import type { World } from "./world.ts";

/** Tells a channel of `node:diagnostics_channel`, where there is one. */
export type Diagnostics = (channel: "mess:publish" | "mess:receive" | "mess:state", message: unknown) => void;

/** The options of `connect`, checked and with their defaults. */
export interface ResolvedOptions {
  readonly url: string;
  readonly auth: ConnectionOptions["auth"];
  readonly open: ConnectionOptions["open"];
  readonly mqtt: OpenMqttOptions;
  readonly clientId: string;
  readonly sessionExpirySeconds: number;
  readonly receiveMaximum: number;
  readonly reconnect: Backoff | undefined;
  readonly waitForServer: boolean;
  readonly offline: OutboxOptions;
  readonly publishTimeoutMs: number;
  readonly verify: MessageVerifier | undefined;
  readonly tracing: TraceProvider | undefined;
  readonly diagnostics: Diagnostics | undefined;
  readonly world: World;
}
