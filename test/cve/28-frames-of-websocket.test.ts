// LESSONS 28, NATS CVE-2026-27571, CVE-2026-27889, CVE-2026-33219. Elsewhere a WebSocket frame that claimed 2^63 bytes,
// one that was compressed a thousandfold, or fragments without an end were read into memory before any login. Here each
// is ended by its header, or by the limit for those who have not logged in.
import { deflateRawSync } from "node:zlib";
import { expect, it } from "vitest";
import { frame, opcode } from "../support/streams.ts";
import { useField } from "./support.ts";

const field = useField({ env: { MESS_LIMITS__CONNECT_DEADLINE_MS: "2s" } });

/** The head of a masked frame of 64 bits of length. */
const claim = (bits: bigint, first = 0x82): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(bits);
  return Buffer.concat([Buffer.from([first, 0xff]), length, Buffer.alloc(4)]);
};
const compressed = (): Buffer => {
  const bytes = frame(opcode.binary, deflateRawSync(Buffer.alloc(8 << 20)));
  bytes[0] = (bytes[0] ?? 0) | 0x40;
  return bytes;
};

const wrong: readonly (readonly [string, Buffer])[] = [
  ["2^63 bytes", claim(1n << 63n)],
  ["2^64 - 1 bytes", claim((1n << 64n) - 1n)],
  ["2^53 bytes", claim(1n << 53n)],
  ["4 GiB", claim(1n << 32n)],
  ["a ping of 1 MiB", claim(1n << 20n, 0x89)],
  ["a compressed frame", compressed()],
  ["a continuation of nothing", frame(opcode.continuation, Buffer.alloc(4))],
  ["an unknown opcode", frame(5, Buffer.alloc(4))],
  ["text", frame(opcode.text, Buffer.from("MQTT"))],
  ["no mask", Buffer.from([0x82, 1, 0x10])],
];

for (const isLoggedIn of [false, true]) {
  it(`wrong frames end the connection, ${isLoggedIn ? "after" : "before"} login`, async () => {
    const { arena } = field;
    const [, door] = arena.doors;
    const owner = await arena.principal();
    const seen = await arena.observe();
    for (const [what, bytes] of wrong) {
      const client = isLoggedIn ? await arena.connect(owner, {}, door) : await arena.open(door);
      client.stream.socket.write(bytes);
      const { reason } = await client.closed(2_500).catch((error: Error) => {
        throw new Error(`${what}: ${error.message}`);
      });
      expect(reason, what).not.toMatch(/1000/);
    }
    expect(seen.memoryGrowth()).toBeLessThan(32);
  });
}

it("fragments without an end are held to the limit of those who are not logged in, and gone at the deadline", async () => {
  const { arena } = field;
  const seen = await arena.observe();
  const clients = await Promise.all(Array.from({ length: 4 }, () => arena.open(arena.doors[1])));
  for (const { stream } of clients) {
    // a CONNECT of 16,003 bytes as far as its user name
    stream.socket.write(frame(opcode.binary, Buffer.from("10807d00044d51545405c200000000016100ff", "hex"), false));
    for (let count = 0; count < 64; count += 1) {
      stream.socket.write(frame(opcode.continuation, Buffer.alloc(64 << 10, 0x78), false));
    }
  }
  await Promise.all(clients.map((client) => client.closed(4_000)));
  // Sixteen MiB came in; what a collector has not come to yet is a part of it.
  expect(seen.memoryGrowth()).toBeLessThan(24);
});
