import type { World } from "../world.ts";

/** So many random characters, five bits each, of digits and small letters. */
export function randomText(world: World, length: number): string {
  return Array.from(world.bytes(length), (byte) => (byte & 31).toString(32)).join("");
}

/** Ids that nobody else makes: 100 random bits for this client, and a count. */
export class MessageIds {
  readonly #producer: string;
  #count = 0;

  constructor(world: World) {
    this.#producer = randomText(world, 20);
  }

  next(): string {
    this.#count += 1;
    return `${this.#producer}.${this.#count.toString(36)}`;
  }
}
