/** Packets of MQTT, right and wrong, and random damage of them. */
import { failureCases } from "../../packages/wire/src/mqtt/failure-cases.test-data.ts";
import { packetCases } from "../../packages/wire/src/mqtt/packet-cases.test-data.ts";
import { versionBefore } from "../../packages/wire/src/mqtt/recording-sink.test-data.ts";

export interface Specimen {
  readonly role: "server" | "client";
  /** What the decoder knows before; 0 before CONNECT. */
  readonly version: 0 | 4 | 5;
  readonly bytes: Uint8Array;
}

export const specimens: readonly Specimen[] = [
  ...packetCases.map(({ role, version, bytes, packet }) => ({
    role,
    version: versionBefore(packet.type, version),
    bytes,
  })),
  ...failureCases,
];

/** One to four bytes changed, added or taken away; half of the time the length is put right again. */
export function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const result = [...bytes];
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(result.length + 1);
    const kind = below(4);
    if (kind === 0) result.splice(at, 1);
    else if (kind === 1) result.splice(at, 0, below(256));
    else if (kind === 2) result.length = Math.max(1, at);
    else if (at < result.length) result[at] = below(256);
  }
  if (random() < 0.5 && result.length >= 2 && result.length < 130) result[1] = result.length - 2;
  return Uint8Array.from(result);
}

export function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T;
}
