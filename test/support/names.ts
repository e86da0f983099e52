/** Names nobody else uses, and waiting: what programs besides test files need too. */
import { randomBytes } from "node:crypto";

const run = randomBytes(3).toString("hex");
let count = 0;

/** A name that no other test uses, in characters every server takes as a client id. */
export function unique(prefix = "x"): string {
  count += 1;
  return `${prefix}${run}${count.toString(36)}`;
}

/** A topic name of two levels that no other test uses. */
export const topic = (): string => `t/${unique()}`;

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
