/** The broker under attack, whichever it is. */
import type { Server } from "../../test/support/server.ts";
import type { Endpoint } from "../../test/support/streams.ts";

export type OtherTarget = "mosquitto" | "nats";
export type TargetName = "mess" | OtherTarget;

/** A way in for MQTT. */
export interface Door {
  readonly name: "tcp" | "websocket";
  readonly endpoint: Endpoint;
}

export interface Broker {
  readonly name: TargetName;
  /** The newest MQTT version it speaks. */
  readonly version: 4 | 5;
  /** At least one. */
  readonly doors: readonly Door[];
  readonly pid: number;
  /** Where it keeps what it keeps. */
  readonly dataDir: string;
  /** All it has printed. */
  readonly output: string;
  /** Only of mess: the process with its HTTP side, keys and files. */
  readonly mess: Server | undefined;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ends it in the ordinary way. */
  stop(): Promise<void>;
  /** Starts it again on the same data and ports. */
  start(): Promise<void>;
  /** Starts another process on the same data; what it ends with, or that it serves. It is ended before this resolves. */
  second(): Promise<number | null | "running">;
  /** Ends it and removes its files. */
  remove(): Promise<void>;
}

export interface BrokerOptions {
  /** More arguments for `mess serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly wrapper?: readonly string[];
}
