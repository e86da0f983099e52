import type { World } from "../world.ts";

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** So many random characters, six bits each. */
export function randomText(world: World, length: number): string {
  return Array.from(world.bytes(length), (byte) => digits[byte & 63]).join("");
}

/** Ids that nobody else makes: 96 random bits for this client, and a count. */
export class MessageIds {
  readonly #producer: string;
  #count = 0;

  constructor(world: World) {
    this.#producer = randomText(world, 16);
  }

  next(): string {
    this.#count += 1;
    return `${this.#producer}.${this.#count.toString(36)}`;
  }
}
