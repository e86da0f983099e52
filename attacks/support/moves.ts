/** Moves that many attacks share. */
import type { RawClient } from "../../test/support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { AttackSucceeded, hold, type Step } from "./attack.ts";
import type { Door } from "./broker.ts";

/** One step that is done at each MQTT door, since a door may have forgotten what another does. */
export function atEachDoor(
  name: string,
  run: (arena: Arena, door: Door) => Promise<void>,
  more: Pick<Step, "elsewhere"> = {},
): Step {
  const atAll = async (arena: Arena): Promise<void> => {
    for (const door of arena.doors) {
      await run(arena, door).catch((error: unknown) => {
        if (error instanceof AttackSucceeded) throw new AttackSucceeded(`${door.name}: ${error.message}`);
        throw error;
      });
    }
  };
  return { name, run: atAll, ...more };
}

export interface CutOff {
  /** Milliseconds. */
  readonly within?: number;
  /** Reason codes of MQTT 5.0 that mess may give; other brokers may give any. */
  readonly codes?: readonly number[];
  /** What the attacker has when the connection stays. */
  readonly otherwise?: string;
}

/** The broker ends the connection; the reason code if it told one. */
export async function cutOff(arena: Arena, client: RawClient, wanted: CutOff = {}): Promise<number | undefined> {
  const { within = 4_000, codes, otherwise = "the connection stays" } = wanted;
  const outcome = await client.closed(within).catch((error: Error) => {
    if (/still open/.test(error.message)) return undefined;
    throw error;
  });
  hold(outcome !== undefined, `${otherwise}${client.history()}`);
  const told = outcome.packets.filter(({ name }) => name === "DISCONNECT" || name === "CONNACK").at(-1);
  if (arena.isMess && codes !== undefined && (told === undefined || !codes.includes(told.code))) {
    throw new Error(`ended with ${told?.code ?? "no code"}, wanted one of ${codes.join(", ")}${client.history()}`);
  }
  return told?.code;
}

/** Nothing that was published reaches `client` within `milliseconds`. */
export async function nothingComes(client: RawClient, otherwise: string, milliseconds = 300): Promise<void> {
  await client.expectNothing(milliseconds, "PUBLISH").catch((error: Error) => {
    if (/wanted nothing, got|the server sent a wrong packet/.test(error.message))
      throw new AttackSucceeded(`${otherwise}: ${error.message}`);
    throw error;
  });
}
