import type { CharacterSet } from "./character-set.ts";
import { wordCharacters } from "./character-set.ts";
import { type Assertion, type PatternPart, PatternProblem, parsePattern } from "./parse-pattern.ts";
import type { WorkBudget } from "./work-budget.ts";

type Instruction =
  | { readonly kind: "set"; readonly set: CharacterSet }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "fork"; readonly to: number[] }
  | { readonly kind: "match" };

const instructionsMax = 2_000;

/**
 * A regular expression as a machine whose states are all followed at once (Thompson): the time is characters times
 * states, whatever the pattern, and each step is paid from the budget.
 */
export class Pattern {
  readonly #program: Instruction[] = [];
  /** `#seen[state]`: the position at which it was last added; no state is followed twice at one. */
  readonly #seen: number[];

  /** Throws `PatternProblem`. */
  constructor(text: string) {
    this.#emit(parsePattern(text));
    this.#add({ kind: "match" });
    this.#seen = this.#program.map(() => -1);
  }

  /** True when it matches somewhere in the text. */
  isIn(text: string, budget: WorkBudget): boolean {
    this.#seen.fill(-1);
    let states: number[] = [];
    let before = -1;
    for (let at = 0; ; ) {
      const code = text.codePointAt(at) ?? -1;
      const next: number[] = [];
      // Those that wait at this place, and one more beginning here.
      for (const state of states) if (this.#follow(state, { at, before, code, next, budget })) return true;
      if (this.#follow(0, { at, before, code, next, budget })) return true;
      if (code < 0) return false;
      states = [];
      budget.spend(next.length + 1);
      for (const state of next) {
        const instruction = this.#program[state];
        if (instruction?.kind === "set" && instruction.set(code)) states.push(state + 1);
      }
      before = code;
      at += code > 0xffff ? 2 : 1;
    }
  }

  /** Adds all states that `from` leads to without a character; true when the match is among them. */
  #follow(from: number, { at, before, code, next, budget }: Following): boolean {
    const open = [from];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (this.#seen[state] === at) continue;
      this.#seen[state] = at;
      budget.spend(1);
      const instruction = this.#program[state] as Instruction;
      if (instruction.kind === "match") return true;
      if (instruction.kind === "set") next.push(state);
      else if (instruction.kind === "fork") for (const to of instruction.to) open.push(to);
      else if (holds(instruction.assertion, before, code)) open.push(state + 1);
    }
    return false;
  }

  #emit(part: PatternPart): void {
    if (part.kind === "set" || part.kind === "assertion") this.#add(part);
    else if (part.kind === "all") for (const each of part.parts) this.#emit(each);
    else if (part.kind === "any") this.#emitAny(part.parts);
    else this.#emitRepeat(part.part, part.least, part.most);
  }

  #emitAny(parts: readonly PatternPart[]): void {
    const fork = this.#fork();
    const ends: number[][] = [];
    for (const part of parts) {
      fork.push(this.#program.length);
      this.#emit(part);
      ends.push(this.#fork());
    }
    for (const end of ends) end.push(this.#program.length);
  }

  #emitRepeat(part: PatternPart, least: number, most: number): void {
    for (let count = 0; count < least; count++) this.#emit(part);
    if (most === Number.POSITIVE_INFINITY) {
      const start = this.#program.length;
      const fork = this.#fork();
      fork.push(this.#program.length);
      this.#emit(part);
      this.#fork().push(start);
      fork.push(this.#program.length);
      return;
    }
    const forks: number[][] = [];
    for (let count = least; count < most; count++) {
      const fork = this.#fork();
      fork.push(this.#program.length);
      forks.push(fork);
      this.#emit(part);
    }
    for (const fork of forks) fork.push(this.#program.length);
  }

  #fork(): number[] {
    const to: number[] = [];
    this.#add({ kind: "fork", to });
    return to;
  }

  #add(instruction: Instruction): void {
    if (this.#program.length >= instructionsMax) {
      throw new PatternProblem(`unfolds into more than ${instructionsMax} steps: repeat less`);
    }
    this.#program.push(instruction);
  }
}

interface Following {
  readonly at: number;
  /** Code points on both sides of the place; -1 at the ends. */
  readonly before: number;
  readonly code: number;
  readonly next: number[];
  readonly budget: WorkBudget;
}

function holds(assertion: Assertion, before: number, after: number): boolean {
  if (assertion === "start") return before < 0;
  if (assertion === "end") return after < 0;
  const isBoundary = wordCharacters(before) !== wordCharacters(after);
  return isBoundary === (assertion === "boundary");
}
