/** Mutated packets, for a fixed time: never a throw, never a read outside of the packet, never unbounded memory. */
import { describe, expect, test } from "vitest";
import { failureCases } from "./failure-cases.test-data.ts";
import { packetCases } from "./packet-cases.test-data.ts";
import { type Call, callsOf, type Rig, rig, smallLimits, versionBefore } from "./recording-sink.test-data.ts";

const SEED = 20_260_727;
const BUDGET_MS = 1_200;

/** xorshift32: the same seed gives the same run, as far as the time allows. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const corpus = [
  ...packetCases.map(({ role, version, bytes, packet }) => ({
    role,
    version: versionBefore(packet.type, version),
    bytes,
  })),
  ...failureCases,
];

const interesting = [0, 1, 2, 3, 4, 0x10, 0x26, 0x7f, 0x80, 0xc0, 0xed, 0xff];

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let result = [...bytes];
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(result.length + 1);
    const byte = random(2) === 0 ? random(256) : (interesting[random(interesting.length)] as number);
    switch (random(6)) {
      case 0:
        result.splice(at, 1);
        break;
      case 1:
        result.splice(at, 0, byte);
        break;
      case 2:
        result = result.slice(0, at);
        break;
      case 3: {
        const other = corpus[random(corpus.length)]?.bytes ?? bytes;
        result.splice(at, random(4), ...other.subarray(random(other.length), other.length));
        break;
      }
      case 4:
        if (result.length > 1) result[1] = random(130) & 0x7f;
        break;
      default:
        if (at < result.length) result[at] = byte;
    }
  }
  // Half of them with a right remaining length, else most would die at the header.
  if (random(2) === 0 && result.length >= 2 && result.length < 130) result[1] = result.length - 2;
  return Uint8Array.from(result);
}

/** A rig whose sink checks that a view stays inside of the bytes it is about. */
function guarded(role: "server" | "client", version: 0 | 4 | 5): Rig {
  const made = rig(role, version);
  const inner = made.sink.publish.bind(made.sink);
  made.sink.publish = (view) => {
    const { packetStart, topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd, packetEnd } =
      view;
    const marks = [0, packetStart, topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd];
    for (let index = 1; index < marks.length; index++) {
      if ((marks[index] as number) < (marks[index - 1] as number)) throw new Error(`marks out of order: ${marks}`);
    }
    if (payloadEnd !== packetEnd || packetEnd > view.bytes.length) throw new Error("payload outside of the packet");
    if (view.forwardLength > propertiesEnd - propertiesStart) throw new Error("forwardLength too long");
    return inner(view);
  };
  return made;
}

function inPieces(
  role: "server" | "client",
  version: 0 | 4 | 5,
  bytes: Uint8Array,
  random: (below: number) => number,
): Call[] {
  const { decoder, sink } = guarded(role, version);
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + 1 + random(20));
    decoder.push(bytes, at, end);
    at = end;
    if (decoder.bufferedBytes > smallLimits.maxPacketSize) throw new Error("more is held than one packet may have");
  }
  return sink.calls;
}

describe("mutated packets", () => {
  test(`seed ${SEED}`, () => {
    const random = randomFrom(SEED);
    const until = performance.now() + BUDGET_MS;
    let runs = 0;
    let passed = 0;
    while (performance.now() < until) {
      for (let batch = 0; batch < 100; batch++) {
        const item = corpus[random(corpus.length)] as (typeof corpus)[number];
        const bytes = mutate(item.bytes, random);
        const { decoder, sink } = guarded(item.role, item.version);
        decoder.push(bytes, 0, bytes.length);
        const failures = sink.calls.filter((call) => "failure" in call);
        const again = inPieces(item.role, item.version, bytes, random);
        const hex = Buffer.from(bytes).toString("hex");
        if (failures.length > 1 || ("packet" in (sink.calls.at(-1) ?? {}) && failures.length > 0)) {
          throw new Error(`calls after a failure: ${item.role} ${item.version} ${hex}`);
        }
        if (JSON.stringify(again) !== JSON.stringify(sink.calls)) expect(again, hex).toEqual(sink.calls);
        runs++;
        if (failures.length === 0) passed++;
      }
    }
    // The mutations must reach both sides, else they test nothing.
    expect(runs).toBeGreaterThan(1000);
    expect(passed / runs).toBeGreaterThan(0.02);
    expect(passed / runs).toBeLessThan(0.9);
  });

  test("noise", () => {
    const random = randomFrom(SEED + 1);
    const until = performance.now() + BUDGET_MS / 4;
    while (performance.now() < until) {
      const bytes = Uint8Array.from({ length: random(64) }, () => random(256));
      for (const role of ["server", "client"] as const) {
        for (const version of [0, 4, 5] as const) callsOf(guarded(role, version), bytes);
      }
    }
  });

  test("what lies behind a packet is never looked at", () => {
    const random = randomFrom(SEED + 2);
    for (const { role, version, bytes } of corpus) {
      const alone = callsOf(guarded(role, version), bytes);
      // The same packet inside a larger buffer of hostile bytes, only the packet's range being pushed.
      const larger = Uint8Array.from({ length: bytes.length + 64 }, () => random(256));
      larger.set(bytes, 32);
      const inside = guarded(role, version);
      inside.decoder.push(larger, 32, 32 + bytes.length);
      expect(inside.sink.calls).toEqual(alone);
    }
  });
});
