/** What the HTTP door counts, as plain numbers. */
export class HttpCounters {
  /** Answers by the first digit of their status; [0] those that were cut off before they began. */
  readonly answers: number[] = [0, 0, 0, 0, 0, 0];
  /** Requests that have not been answered to the end: event streams and waiting pulls among them. */
  open = 0;
}
