/** Who listens to what. A listener that throws harms neither the caller nor the next listener. */
export class Listeners<Events extends object> {
  readonly #of = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #onThrow: (error: unknown) => void;

  constructor(onThrow: (error: unknown) => void) {
    this.#onThrow = onThrow;
  }

  /** Returns what ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const set = this.#of.get(name) ?? new Set();
    this.#of.set(name, set);
    // One function given twice is two listeners: each is ended by its own.
    const own = (event: Events[Name]): void => listener(event);
    set.add(own);
    return () => void set.delete(own);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#of.get(name) ?? [])] as ((event: Events[Name]) => unknown)[]) {
      try {
        const result = listener(event);
        // A listener may be async after all, whatever its type says.
        if (result instanceof Promise) result.catch(this.#onThrow);
      } catch (error) {
        this.#onThrow(error);
      }
    }
  }
}
