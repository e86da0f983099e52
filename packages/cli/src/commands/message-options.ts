import { type Command, Option } from "commander";
import { usageError } from "../cli-error.ts";
import { parseDuration, parseTime, wholeNumber } from "../units.ts";

export type Header = readonly [name: string, value: string];

/** What can be said of a message besides topic and payload. */
export interface MessageOptions {
  readonly key?: string;
  readonly id?: string;
  /** Milliseconds. */
  readonly delay?: number;
  /** RFC 3339, in UTC. */
  readonly at?: string;
  readonly priority?: number;
  /** Milliseconds. */
  readonly expiry?: number;
  readonly header: readonly Header[];
  readonly contentType?: string;
}

export function addMessageOptions(command: Command): Command {
  return command
    .option("-k, --key <key>", "ordering key: messages of a key are worked on one at a time, in order", parseKey)
    .option("--id <id>", "a repeat of this id is stored once; with many messages each gets ID:N")
    .addOption(
      new Option("--delay <duration>", "deliver so much later (30s, 5m)").argParser(parseDuration).conflicts("at"),
    )
    .option("--at <time>", "deliver then (2030-01-31T12:00:00Z)", parseTime)
    .option("--priority <0-9>", "9 goes first, 0 last, 4 without", wholeNumber("--priority", 0, 9))
    .option("--expiry <duration>", "how long until nobody wants it any more; a number is seconds", parseExpiry)
    .option("-H, --header <name=value>", "user property; repeatable", addHeader, [])
    .option("--content-type <type>", "content type of the payload");
}

/** Elsewhere a key is a secret; given here by mistake it would be stored with the message for all to see. */
function parseKey(text: string): string {
  if (!/\.mess_[A-Za-z0-9_-]{20,}$/u.test(text)) return text;
  throw usageError(
    "--key is the ordering key of a message, and this looks like an API key",
    "pass that with --key-file",
  );
}

function parseExpiry(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds >= 1000) return milliseconds;
  throw usageError(`--expiry must be a second or more, not "${text}"`);
}

function addHeader(text: string, others: readonly Header[]): readonly Header[] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw usageError(`--header "${text}" is not name=value`);
  const name = text.slice(0, equals);
  if (/^mess-/iu.test(name)) {
    const option = name.slice("mess-".length).toLowerCase();
    throw usageError(
      `--header "${name}": names that begin with mess- are the broker's`,
      `is --${option} what you want?`,
    );
  }
  return [...others, [name, text.slice(equals + 1)]];
}
