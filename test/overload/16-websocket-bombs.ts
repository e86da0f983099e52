/** Frames that lie about their length, come in single bytes, are compressed, or are not masked. */
import type { TLSSocket } from "node:tls";
import { connect as connectTls } from "node:tls";
import * as build from "../support/packets.ts";
import { frame, opcode, upgrade } from "../support/streams.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { type Check, check, type Findings, type Row, type Scale } from "./row.ts";

interface Opened {
  readonly socket: TLSSocket;
  /** The code of the close frame; 0 when the connection just ended, undefined when it stayed. */
  closed(milliseconds: number): Promise<number | undefined>;
}

async function open(arena: Arena): Promise<Opened> {
  const endpoint = arena.server.webSocket;
  const { host, port, ca } = endpoint;
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const made = connectTls({ host, port, ca: ca ?? "", servername: "localhost" }, () => resolve(made));
    made.once("error", reject);
  });
  socket.on("error", () => {});
  await upgrade(socket, endpoint);
  let seen = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    seen = Buffer.concat([seen, bytes]).subarray(-64);
  });
  return {
    socket,
    closed: async (milliseconds) => {
      const ended = await new Promise<boolean>((resolve) => {
        if (socket.destroyed || socket.readableEnded) return resolve(true);
        const timer = setTimeout(() => resolve(false), milliseconds);
        socket.once("end", () => resolve(true));
        socket.once("close", () => resolve(true)).once("close", () => clearTimeout(timer));
      });
      socket.destroy();
      const at = seen.indexOf(0x88);
      if (!ended) return undefined;
      return at >= 0 && seen.length >= at + 4 ? seen.readUInt16BE(at + 2) : 0;
    },
  };
}

async function endsWith(arena: Arena, bytes: Buffer): Promise<number | undefined> {
  const { socket, closed } = await open(arena);
  socket.write(bytes);
  return closed(4_000);
}

/** An accepted CONNECT, then fragments of one byte for as long as they are taken. */
async function fragments(arena: Arena, count: number): Promise<{ sent: number; code: number | undefined }> {
  const { socket, closed } = await open(arena);
  const connect = build.connect({ clientId: "fragments", ...(await arena.key("attacker-0")) });
  socket.write(frame(opcode.binary, connect));
  let sent = 0;
  let isFirst = true;
  while (sent < count && socket.writable) {
    const parts: Buffer[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      parts.push(frame(isFirst ? opcode.binary : opcode.continuation, Buffer.from([0x30]), false));
      isFirst = false;
    }
    sent += parts.length;
    if (!socket.write(Buffer.concat(parts))) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { sent, code: await closed(4_000) };
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [rounds, count] = scale === "full" ? [50, 1_000_000] : [2, 20_000];
  const before = residentBytes(arena.server.pid);
  const checks: Check[] = [];
  const huge = Buffer.from([0x82, 0xff, 0x00, 0x20, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
  const compressed = frame(opcode.binary, Buffer.alloc(64));
  compressed[0] = (compressed[0] ?? 0) | 0x40;
  const unmasked = Buffer.from([0x82, 0x02, 0x10, 0x00]);
  const kinds: readonly (readonly [string, Buffer, readonly number[]])[] = [
    ["a frame of 2^53 bytes", huge, [1_009, 1_002, 1_006, 0]],
    ["a compressed frame", compressed, [1_002]],
    ["an unmasked frame", unmasked, [1_002]],
  ];
  for (const [what, bytes, wanted] of kinds) {
    const codes = new Set<number | undefined>();
    for (let round = 0; round < rounds; round += 1) codes.add(await endsWith(arena, bytes));
    const holds = [...codes].every((code) => code !== undefined && wanted.includes(code));
    checks.push(check(`${what} ends the connection`, holds, [...codes].join(" ")));
  }
  const { sent, code } = await fragments(arena, count);
  const grown = residentBytes(arena.server.pid) - before;
  checks.push(check("fragments of one byte end the connection", code !== undefined, `${code} after ${sent}`));
  checks.push(check("memory stays", grown < 48 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`));
  return { load: `${rounds} of each bad frame; up to ${count} fragments of one byte`, checks };
}

export const webSocketBombs: Row = {
  id: "16",
  title: "WebSocket bombs",
  expected: "closed with 1009 or 1002; memory stays",
  run,
};
