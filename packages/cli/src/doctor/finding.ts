import type { LocalServer } from "../target/data-directory.ts";
import type { Target } from "../target/target.ts";

/** The outcome of one check. Ids are stable: documentation and scripts refer to them. */
export interface Finding {
  readonly id: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly text: string;
  /** What to do about it; absent when all is well. */
  readonly fix?: string;
}

/** What the checks look at. */
export interface Patient {
  readonly env: NodeJS.ProcessEnv;
  /** Absolute; it need not exist. */
  readonly directory: string;
  /** undefined when the directory is not a server's. */
  readonly local: LocalServer | undefined;
  /** undefined when no server is known. */
  readonly target: Target | undefined;
  /** Wall clock, milliseconds. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** No finding: the check does not apply. */
export type Check = (patient: Patient) => Promise<readonly Finding[]>;
