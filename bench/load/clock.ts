const origin = 0x1_0000_0000;

/** Microseconds of the monotonic clock, the same in all threads of the machine; wraps at 2^32, after 71 minutes. */
export function microseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1_000_000 + Math.floor(nanoseconds / 1_000)) % origin;
}

/** From an earlier reading to a later one. */
export function elapsed(from: number, to: number): number {
  return to >= from ? to - from : to - from + origin;
}

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
