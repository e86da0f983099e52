import { formatSize, parseSize } from "../model/quantity.ts";
import { settingBounds } from "../model/setting-bounds.ts";
import type { TopicRate } from "../model/settings.ts";
import { isTable } from "./policy-tables.ts";
import type { Range, SettingPlace } from "./setting-readers.ts";

const example = 'rate = { messages = "1000/s", bytes = "1MiB/s" }';

/** `{ messages = "1000/s", bytes = "1MiB/s" }` with one of them or both. */
export function readRate(value: unknown, place: SettingPlace): TopicRate | undefined {
  if (value === undefined) return undefined;
  const { path, problems } = place;
  if (!isTable(value)) {
    problems.add(path, "is a table with `messages`, `bytes` or both", example);
    return undefined;
  }
  const table = new Map(Object.entries(value));
  for (const name of table.keys()) {
    if (name !== "messages" && name !== "bytes") problems.unknownKey(path, name, ["messages", "bytes"]);
  }
  if (table.size === 0) problems.add(path, "is empty", `${example}; without a rate leave it out`);
  const at = (name: string): SettingPlace => ({ path: problems.path(path, name), problems });
  const messagesPerSecond = readPerSecond(table.get("messages"), messages, at("messages"));
  const bytesPerSecond = readPerSecond(table.get("bytes"), bytes, at("bytes"));
  return {
    ...(messagesPerSecond !== undefined && { messagesPerSecond }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
  };
}

/** As policy files spell it: what `readRate` reads back to the same. */
export function spellRate({ messagesPerSecond, bytesPerSecond }: TopicRate): SpelledRate {
  return {
    ...(messagesPerSecond !== undefined && { messages: `${messagesPerSecond}/s` }),
    ...(bytesPerSecond !== undefined && { bytes: `${formatSize(bytesPerSecond).replace(" ", "")}/s` }),
  };
}

export interface SpelledRate {
  readonly messages?: string;
  readonly bytes?: string;
}

interface Quantity {
  readonly range: Range;
  readonly noun: string;
  parse(text: string): number | undefined;
  format(value: number): string;
}

const messages: Quantity = {
  range: settingBounds.messagesPerSecond,
  noun: 'a number of messages a second such as "1000/s"',
  parse: (text) => (/^\d{1,10}$/.test(text) ? Number(text) : undefined),
  format: String,
};

const bytes: Quantity = {
  range: settingBounds.bytesPerSecond,
  noun: 'a size a second such as "1MiB/s"',
  parse: parseSize,
  format: (value) => formatSize(value).replace(" ", ""),
};

function readPerSecond(value: unknown, quantity: Quantity, { path, problems }: SettingPlace): number | undefined {
  if (value === undefined) return undefined;
  const [least, most] = quantity.range;
  const text = typeof value === "string" && value.endsWith("/s") ? value.slice(0, -2) : undefined;
  const read = text === undefined ? undefined : quantity.parse(text);
  if (read !== undefined && read >= least && read <= most) return read;
  const range = `from ${quantity.format(least)}/s to ${quantity.format(most)}/s`;
  problems.add(path, read === undefined ? `is ${quantity.noun}, ${range}` : `is out of range; it goes ${range}`);
  return undefined;
}
