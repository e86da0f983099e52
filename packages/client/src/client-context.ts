import type { Properties } from "@mess/wire";
import type { LaneSubscription } from "./connection/lane.ts";
import type { MessError } from "./mess-error.ts";
import type { MessageVerifier } from "./message-signing.ts";
import type { MqttConnection } from "./mqtt/mqtt-connection.ts";
import type { PublishOptions, Receipt } from "./publish/publish-options.ts";
import type { RawMessage } from "./topic/message.ts";
import type { TraceProvider } from "./trace.ts";
import type { World } from "./world.ts";

/** A connection as a subscription sees it. */
export interface LaneHandle {
  /** Undefined while there is no connection. */
  readonly client: MqttConnection | undefined;
  /**
   * Resolves when there is a connection.
   *
   * @throws MessError when there will be none
   */
  connected(): Promise<MqttConnection>;
  subscribe(subscription: LaneSubscription): void;
  /** Ends the subscription; and the connection, when it was its own. */
  leave(subscription: LaneSubscription): Promise<void>;
}

export interface OwnLaneOptions {
  /** QoS 1 messages that the broker may send ahead. */
  readonly receiveMaximum: number;
  /** Seconds that the broker keeps the session over a lost connection, at most; as long as the main one's by default. */
  readonly sessionMax?: number;
  /** Whether CONNACK shall tell where replies go. */
  readonly replies?: boolean;
}

/** What the parts of one client share. */
export interface ClientContext {
  readonly world: World;
  readonly tracing: TraceProvider | undefined;
  publish(topic: string, payload: Uint8Array, options: PublishOptions, more: Properties): Promise<Receipt>;
  /** The client's main connection, or another one where the filter is taken there. */
  sharedLane(filter: string): LaneHandle;
  ownLane(options: OwnLaneOptions): LaneHandle;
  /** Of what is received. */
  readonly verify: MessageVerifier | undefined;
  /** For diagnostics. */
  received(message: RawMessage): void;
  /** A payload that is not what the reader expects: to the reader's own callback, or to the event `invalid`. */
  invalid(error: MessError, message: RawMessage, own?: (error: MessError, message: RawMessage) => void): void;
  /** An error that no call can tell: to the event `error`. */
  report(error: unknown): void;
}
