/** What can be seen of a broker from outside: memory, counters, log. */
import { readFileSync } from "node:fs";
import type { Arena } from "./arena.ts";

/** One line of the log of mess. */
export interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Observed {
  /** Megabytes resident more than at the beginning. */
  memoryGrowth(): number;
  /** How much a counter of `/metrics` has grown; `name{label="value"}` as it stands there. */
  counted(series: string): Promise<number>;
  /** Events of the audit trail and the log since the beginning, as they are logged. */
  events(name: string): readonly Event[];
  /** What was printed since. */
  text(): string;
}

/** Resident memory, megabytes. */
export function residentMb(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) / 1024;
}

export async function observe(arena: Arena): Promise<Observed> {
  const { broker } = arena;
  const memory = residentMb(broker.pid);
  const before = arena.isMess ? await readCounters(arena) : new Map<string, number>();
  const printed = broker.output.length;
  const text = (): string => broker.output.slice(printed);
  return {
    memoryGrowth: () => residentMb(broker.pid) - memory,
    counted: async (series) => {
      const now = await readCounters(arena);
      return (now.get(series) ?? 0) - (before.get(series) ?? 0);
    },
    events: (name) => eventsOf(text()).filter(({ event }) => event === name),
    text,
  };
}

async function readCounters(arena: Arena): Promise<Map<string, number>> {
  const { text } = await arena.admin("/metrics");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Each whole line is one JSON object, or the log has been broken into. */
export function eventsOf(text: string): readonly Event[] {
  return text
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event);
}
