/**
 * User properties that are between client and broker: their names begin with `mess-` (docs/mqtt.md). What is not
 * understood is refused, never passed over: a typing error must not lose a delay or a key.
 */
import { RESERVED_PREFIX } from "@mess/wire";
import { nearestName } from "../../../model/nearest-name.ts";

export type UserProperties = readonly (readonly [name: string, value: string])[];

/** Why it was refused, for people. */
export interface Refused {
  readonly refusal: string;
}

/** Where properties may stand. */
export type PropertyPlace = "CONNECT" | "PUBLISH" | "a settlement" | "SUBSCRIBE" | "UNSUBSCRIBE" | "a will";

/** By the place that may have them. */
const fromClients: Readonly<Record<PropertyPlace, readonly string[]>> = {
  CONNECT: ["mess-meta"],
  PUBLISH: ["mess-id", "mess-key", "mess-delay", "mess-at", "mess-priority", "mess-signature"],
  "a settlement": ["mess-delay", "mess-reason"],
  SUBSCRIBE: ["mess-from", "mess-ack", "mess-credit", "mess-credit-bytes"],
  UNSUBSCRIBE: [],
  "a will": ["mess-id", "mess-key", "mess-at", "mess-priority"],
};

/** What the broker says in them; nobody else may. */
const fromBroker: ReadonlySet<string> = new Set([
  "mess-offset",
  "mess-duplicate",
  "mess-time",
  "mess-publisher",
  "mess-attempt",
  "mess-subscription",
  "mess-response-topic",
  "mess-correlation-data",
  "mess-dead-reason",
  "mess-attempts",
  "mess-origin-topic",
  "mess-origin-offset",
]);

const shownCharactersMax = 64;

/** The reserved ones by name, each of them known at this place and there once; or why not. */
export function reservedProperties(
  properties: UserProperties,
  place: PropertyPlace,
): ReadonlyMap<string, string> | Refused {
  const found = new Map<string, string>();
  const known = fromClients[place];
  for (const [name, value] of properties) {
    if (!name.startsWith(RESERVED_PREFIX)) continue;
    if (!known.includes(name)) return { refusal: explainUnknown(name, place, known) };
    if (found.has(name)) return { refusal: `the user property "${name}" comes twice` };
    found.set(name, value);
  }
  return found;
}

/** The name in a sentence or an audit event: it may be long. */
function shownName(name: string): string {
  return name.slice(0, shownCharactersMax);
}

/** The first reserved name, for audit events. */
export function firstReserved(properties: UserProperties): string {
  return shownName(properties.find(([name]) => name.startsWith(RESERVED_PREFIX))?.[0] ?? "");
}

/** A value that does not do: which, and what would. */
export function wrongValue(name: string, wanted: string): Refused {
  return { refusal: `the user property "${name}" must be ${wanted}` };
}

export function isRefused<T extends object>(read: T | Refused): read is Refused {
  return "refusal" in read;
}

function explainUnknown(name: string, place: PropertyPlace, known: readonly string[]): string {
  const property = `the user property "${shownName(name)}"`;
  if (fromBroker.has(name)) return `${property} is reserved: only the broker sets it`;
  const others = Object.entries(fromClients).find(([, names]) => names.includes(name));
  if (others !== undefined) return `${property} belongs to ${others[0]}, not to ${place}`;
  const nearest = nearestName(name, known);
  if (nearest !== undefined) return `${property} is reserved and unknown; did you mean "${nearest}"?`;
  const all = known.map((each) => `"${each}"`).join(", ");
  return `${property} is reserved and unknown${all === "" ? "" : `; ${place} may have ${all}`}`;
}
