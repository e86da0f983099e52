import type { Host } from "../../packages/broker/src/host/host.ts";
import type { Transport, TransportHandler } from "../../packages/broker/src/input/transport.ts";

export interface SystemOptions {
  readonly segmentBytes: number;
}

/** What a running broker tells the machine it runs on. */
export interface SystemEvents {
  /** Storage failed: no ack follows; the process is about to exit. */
  failed(reason: string): void;
}

/** The broker as the simulation sees it: everything between a transport and a disk. */
export interface Running {
  accept(transport: Transport): TransportHandler;
  /** Drains and stops; everything that was acked is durable before. */
  close(): Promise<void>;
}

/** Recovers from `host.disk` and starts. Rejects when the data is damaged or the disk fails. */
export type StartSystem = (host: Host, events: SystemEvents, options: SystemOptions) => Promise<Running>;
