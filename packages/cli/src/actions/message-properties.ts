import type { MqttPublishOptions } from "@mess/client";
import type { MessageOptions } from "../commands/message-options.ts";

type Properties = NonNullable<MqttPublishOptions["properties"]>;

/** What `--json` and receipts need of the server: offsets, times, attempts (docs/mqtt.md). */
export const metaProperties: Properties = { userProperties: [["mess-meta", "1"]] };

/** MQTT's form of what is said of a message; undefined when nothing is. */
export function messageProperties(options: MessageOptions): Properties | undefined {
  const { key, id, delay, at, priority, expiry, header, contentType } = options;
  const own: readonly (readonly [string, string | number | undefined])[] = [
    ["mess-key", key],
    ["mess-id", id],
    ["mess-delay", delay],
    ["mess-at", at],
    ["mess-priority", priority],
  ];
  const said = own.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]));
  const userProperties = [...header, ...said];
  const properties: Properties = {
    ...(userProperties.length > 0 && { userProperties }),
    ...(contentType !== undefined && { contentType }),
    ...(expiry !== undefined && { messageExpiryInterval: Math.ceil(expiry / 1000) }),
  };
  return Object.keys(properties).length === 0 ? undefined : properties;
}

/** What the server says of a message in properties of its own: names without `mess-`, offsets and counts as numbers. */
export function metaOf(properties: Properties): Readonly<Record<string, string | number | boolean>> {
  const pairs = properties.userProperties ?? [];
  return Object.fromEntries(
    pairs
      .filter(([name]) => name.startsWith("mess-"))
      .map(([name, value]) => [camelCase(name.slice("mess-".length)), metaValue(name, value)]),
  );
}

const numbers: ReadonlySet<string> = new Set([
  "mess-offset",
  "mess-attempt",
  "mess-attempts",
  "mess-priority",
  "mess-origin-offset",
]);

function metaValue(name: string, value: string): string | number | boolean {
  if (name === "mess-duplicate") return value === "1";
  return numbers.has(name) && /^\d{1,16}$/u.test(value) ? Number(value) : value;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}
