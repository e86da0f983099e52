/** Ends a check that costs too much. Caught where the check began: no answer is drawn from half a check. */
export class TooMuchWork extends Error {
  constructor() {
    super("the check costs more than it may");
  }
}

/** What one check may cost: a hostile schema and a hostile payload together must not hold up everybody else. */
export class WorkBudget {
  /** Elementary steps: schema parts looked at, characters and values compared. A million take some tens of milliseconds. */
  #steps: number;
  /** Calls within one another, so that the stack holds. */
  #depth: number;

  constructor(steps: number, depth: number) {
    this.#steps = steps;
    this.#depth = depth;
  }

  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new TooMuchWork();
  }

  enter(): void {
    this.#depth--;
    if (this.#depth < 0) throw new TooMuchWork();
  }

  leave(): void {
    this.#depth++;
  }
}
