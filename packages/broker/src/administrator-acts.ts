/** What all administrative acts have in common: refusals are audited, and nothing is answered before it is durable. */
import type { BrokerEngine } from "./engine.ts";
import { AdministrationError } from "./model/administration.ts";

/** Of what somebody sent, as much as an audit record keeps. */
const targetLengthMax = 128;

/** An administrative act that somebody asked for. */
export interface Asked {
  /** `key.create`, `topic.declare`, … */
  readonly act: string;
  readonly by: string;
  /** The principal, key, filter or subscription it is about. */
  readonly target?: string;
}

export class AdministratorActs {
  readonly #engine: BrokerEngine;

  constructor(engine: BrokerEngine) {
    this.#engine = engine;
  }

  /** What an act is refused with; the refusal is audited. */
  refusal(asked: Asked, code: AdministrationError["code"], message: string): AdministrationError {
    const { act, by, target = "" } = asked;
    this.#engine.machine.audit.write("admin.refused", { act, by, code, target: target.slice(0, targetLengthMax) });
    return new AdministrationError(code, message);
  }

  /** Resolves at the commit of what was just written; rejects when the journal cannot take it. */
  durable(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#engine.journal.hasFailed) reject(storageFailed());
      else this.#engine.machine.whenDurable(resolve);
    });
  }
}

export function storageFailed(): AdministrationError {
  return new AdministrationError("unavailable", "storage has failed; the broker must be restarted");
}
