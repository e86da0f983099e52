import { nearestName } from "../model/nearest-name.ts";

/** One reason to refuse a policy. */
export interface PolicyProblem {
  /** Where, as in `roles.device.allow[0].publish`; empty for the document as a whole. */
  readonly path: string;
  /** What is wrong; continues the path. */
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string;
}

/** Enough to mend a file by; a hostile one must not make us write a book. */
const PROBLEMS_MAX = 50;
/** Names from the document are shown up to this many characters. */
const SHOWN_LENGTH_MAX = 80;
const PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/** Collects problems, bounded. */
export class PolicyProblems {
  readonly list: PolicyProblem[] = [];

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  get #isFull(): boolean {
    return this.list.length >= PROBLEMS_MAX;
  }

  add(path: string, message: string, hint?: string): void {
    if (this.#isFull) return;
    this.list.push(hint === undefined ? { path, message } : { path, message, hint });
  }

  unknownKey(path: string, key: string, valid: readonly string[]): void {
    // Also the search for a near name costs; it ends with the list.
    if (this.#isFull) return;
    const nearest = nearestName(key, valid);
    const hint = nearest === undefined ? `valid here: ${valid.join(", ")}` : `did you mean \`${nearest}\`?`;
    this.add(this.path(path, key), "is not a key of a policy", hint);
  }

  unknownName(path: string, kind: string, name: string, valid: Iterable<string>): void {
    if (this.#isFull) return;
    const nearest = nearestName(name, valid);
    const message = `there is no ${kind} ${shown(name)}`;
    if (nearest === undefined) this.add(path, message);
    else this.add(path, message, `did you mean \`${nearest}\`?`);
  }

  /** `parent.key`, with quotes and escapes where the key is no plain word. */
  path(parent: string, key: string): string {
    const part = isPlainWord(key) ? key : shown(key);
    return parent === "" ? part : `${parent}.${part}`;
  }
}

function shown(name: string): string {
  return JSON.stringify(name.length > SHOWN_LENGTH_MAX ? `${name.slice(0, SHOWN_LENGTH_MAX)}…` : name);
}

/** A bare key of TOML: letters, digits, `-` and `_`. */
function isPlainWord(key: string): boolean {
  return key !== "" && key.length <= SHOWN_LENGTH_MAX && [...key].every((character) => PLAIN.includes(character));
}
