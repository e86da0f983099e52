/** What the runner and the control client say to each other. The client is a process of its own, so that a busy load generator does not make the server look slow. */
import type { Endpoint } from "../support/streams.ts";

export interface ControlStart {
  readonly endpoint: Endpoint;
  readonly username: string;
  readonly password: string;
  /** Milliseconds between two PINGREQ, and between two publishes. */
  readonly everyMs: number;
}

export type ControlRequest =
  | { readonly verb: "start"; readonly start: ControlStart }
  /** Begins a phase; the answer is about the one before. */
  | { readonly verb: "phase" }
  /** Ends publishing, and says what was acknowledged in all. */
  | { readonly verb: "stop" }
  /** Connects as the consumer and reads until everything that was acknowledged has come, or nothing comes any more. */
  | { readonly verb: "drain" };

/** Milliseconds of answers, and what was not answered. */
export interface PhaseFigures {
  readonly pings: readonly number[];
  readonly publishes: readonly number[];
  /** Publishes that were refused (PUBACK with a reason of 0x80 or more). */
  readonly refused: number;
  /** Times the connection was lost. */
  readonly disconnects: number;
}

export interface LedgerFigures {
  readonly acknowledged: number;
  /** Acknowledged numbers that never came to the consumer. */
  readonly lost: readonly number[];
}

export type ControlAnswer =
  | { readonly about: "started" }
  | { readonly about: "phase"; readonly figures: PhaseFigures }
  | { readonly about: "stopped"; readonly acknowledged: number }
  | { readonly about: "drained"; readonly ledger: LedgerFigures }
  | { readonly about: "failed"; readonly reason: string };

export const ledgerTopic = "control/ledger";
export const ledgerClientId = "control-ledger";
