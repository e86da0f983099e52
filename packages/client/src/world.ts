/** What the client needs of the world. A test may give another one, whose time it moves by hand. */
export interface World {
  /** Wall-clock milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds that never go back; fractions allowed. */
  monotonic(): number;
  after(milliseconds: number, run: () => void): Timer;
  /** From 0 up to, but not including, 1; for jitter. */
  random(): number;
  /** From a cryptographic source: ids and correlation data must not be guessed. */
  bytes(length: number): Uint8Array;
}

export interface Timer {
  cancel(): void;
}

/** The longest time that `setTimeout` keeps; longer ones would fire at once. */
const timeoutMax = 0x7fff_ffff;

export const realWorld: World = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, run) => {
    const timer = setTimeout(run, Math.min(milliseconds, timeoutMax));
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
  bytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};

/** Resolves after the time, or as soon as the signal fires: the caller looks at its signal. */
export function sleep(world: World, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = world.after(milliseconds, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
