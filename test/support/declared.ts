/** What tests of declared topics and subscriptions share: a policy file for the server, and the conventions of `$mess/queue/` as an MQTT client sees them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Packet } from "./decoder.ts";
import * as build from "./packets.ts";
import type { ConnectOptions, RawClient } from "./raw-client.ts";

/** Arguments for `mess serve` with this policy. The file is removed when the process of the tests ends. */
export function withPolicy(toml: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "mess-declared-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "policy.toml");
  writeFileSync(path, toml);
  return ["--policy-file", path];
}

/** CONNECT that asks for offsets and attempts to be told. */
export const withMeta: ConnectOptions = { properties: { userProperty: [["mess-meta", "1"]] } };

export type UserProperties = readonly (readonly [string, string])[];

/** Becomes a consumer of a declared subscription. `properties`: `mess-ack`, `mess-credit`, … */
export async function consume(client: RawClient, name: string, properties: UserProperties = []): Promise<void> {
  const input =
    properties.length === 0 ? {} : { userProperty: properties.map(([key, value]): [string, string] => [key, value]) };
  await client.subscribe(
    { filter: `$mess/queue/${name}/#`, qos: 1 },
    client.version === 5 ? { properties: input } : {},
  );
}

/** The value of a user property that stands once; undefined when there is none. */
export function userProperty(packet: Packet, name: string): string | undefined {
  const found = (packet.properties.userProperty ?? []).filter(([key]) => key.toString() === name);
  if (found.length > 1) throw new Error(`${name} stands ${found.length} times`);
  return found[0]?.[1].toString();
}

/** PUBLISH at QoS 1 with user properties; the PUBACK. */
export async function publishWith(
  client: RawClient,
  topic: string,
  payload: string,
  properties: UserProperties,
): Promise<Packet> {
  const list = properties.map(([key, value]): [string, string] => [key, value]);
  const puback = await client.publish({ topic, payload, qos: 1, properties: { userProperty: list } });
  if (puback === undefined) throw new Error("no PUBACK");
  return puback;
}

/** Settles an explicit delivery: a publish to its Response Topic with its Correlation Data. */
export async function settle(
  client: RawClient,
  delivery: Packet,
  verb: string,
  properties: UserProperties = [],
): Promise<Packet> {
  const { responseTopic, correlationData } = delivery.properties;
  if (responseTopic === undefined || correlationData === undefined) throw new Error("the delivery carries no token");
  const puback = await client.publish({
    topic: responseTopic.toString(),
    payload: verb,
    qos: 1,
    properties: { correlationData, userProperty: properties.map(([key, value]): [string, string] => [key, value]) },
  });
  if (puback === undefined) throw new Error("no PUBACK");
  return puback;
}

export const puback = (id: number, code?: number): Buffer => build.ack("PUBACK", id, code);
export const text = (packet: Packet): string => packet.payload.toString();
