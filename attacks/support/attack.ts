/** What an attack is: a row of the threat model, and what somebody would do to make it true. */
import type { Arena } from "./arena.ts";
import type { OtherTarget } from "./broker.ts";

/** Where an attack comes in. */
type Way = "tcp-tls" | "websocket-tls" | "https" | "disk" | "process" | "source";

/** What it says of another broker that a step needs something which only mess has. */
export interface Absence {
  /** `succeeds`: the missing part is the weakness, there is nothing that would have to be overcome. */
  readonly verdict: "succeeds" | "not applicable";
  readonly why: string;
}

export interface Step {
  readonly name: string;
  /** Throws `AttackSucceeded` when the attack works, anything else when it could not be carried out. */
  readonly run: (arena: Arena) => Promise<void>;
  /** Targets that are not named are attacked. */
  readonly elsewhere?: Absence | Readonly<Partial<Record<OtherTarget, Absence>>>;
}

export interface Attack {
  /** As in the threat model: `A1`, `B16`, `E15`. */
  readonly id: string;
  readonly title: string;
  /** What could happen, in a sentence or two. */
  readonly threat: string;
  /** What mess does against it. */
  readonly mitigation: string;
  readonly ways: readonly Way[];
  readonly steps: readonly Step[];
}

/** The attacker got what the row says they must not get. */
export class AttackSucceeded extends Error {}

/** The machine has not what the step needs, such as a program; the row shows nothing here. */
export class CannotTry extends Error {}

export function attack(definition: Attack): Attack {
  return definition;
}

/** The missing part is the weakness itself. */
export const lacks = (why: string): Absence => ({ verdict: "succeeds", why });
/** There is nothing of the kind that could be attacked. */
export const hasNone = (why: string): Absence => ({ verdict: "not applicable", why });

/** What must be true for the attack to have failed; `otherwise` says what the attacker got. */
export function hold(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new AttackSucceeded(otherwise);
}

/** The same for an expectation that throws. */
export async function holds<T>(otherwise: string, expectation: () => Promise<T>): Promise<T> {
  try {
    return await expectation();
  } catch (error) {
    throw new AttackSucceeded(`${otherwise}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
