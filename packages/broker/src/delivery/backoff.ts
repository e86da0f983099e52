/**
 * How long a message waits after its nth failed attempt: `first` doubled each time up to `longest`, of which a random
 * part between half and whole, so that what failed together does not come back together.
 *
 * @param random in [0, 1)
 */
export function backoff(failed: number, backoffMs: readonly [first: number, longest: number], random: number): number {
  const [first, longest] = backoffMs;
  // Beyond 2^52 a double is whole anyway; the exponent stays small so that it never is Infinity times zero.
  const whole = Math.min(longest, first * 2 ** Math.min(52, Math.max(0, failed - 1)));
  return Math.ceil(whole / 2 + (whole / 2) * random);
}
