export interface Backoff {
  /** Milliseconds: the bound of the first wait. */
  readonly min: number;
  /** Milliseconds: the bound of every wait. */
  readonly max: number;
}

/**
 * Full jitter: anything between nothing and a bound that doubles. Clients that lost the same server at the same moment come
 * back spread over the whole time.
 *
 * @param attempt 0 for the first wait
 * @param random from 0 up to, but not including, 1
 */
export function fullJitter(attempt: number, { min, max }: Backoff, random: number): number {
  return random * Math.min(max, min * 2 ** Math.min(attempt, 30));
}
