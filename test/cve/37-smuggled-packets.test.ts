// LESSONS 37, RabbitMQ CVE-2023-46118, ActiveMQ CVE-2026-40046, NanoMQ CVE-2026-21888 and CVE-2026-25627. Elsewhere a
// length of five bytes made two parts of a server disagree where a packet ended, so that data became commands; a body
// without a bound filled the memory. Here a length has four bytes in its shortest form, or the connection ends there.
import { expect, it } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { rawHttp } from "../../attacks/support/raw-http.ts";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { frame, opcode } from "../support/streams.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const lengths = ["8080808000", "8080808001", "ffffffff7f", "ffffffffff", "80808000", "8000", "818080"];

atEachDoor(field, "a length too long, with a packet behind it", async (arena, door) => {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe(owner.topic("#"));
  for (const version of [4, 5] as const) {
    const smuggled = build.publish({ version, topic: owner.topic("smuggled"), payload: "x" });
    for (const length of lengths) {
      for (const first of ["30", "82", "c0"]) {
        const client = await arena.connect(owner, { version }, door);
        client.send(Buffer.from(first + length, "hex"), smuggled, smuggled);
        await client.refused([0x81, 0x95]);
      }
      const early = await arena.open(door, version);
      early.send(Buffer.from(`10${length}`, "hex"), build.connect({ version, ...owner.credentials }), smuggled);
      await early.closed();
    }
  }
  await nothingComes(watcher, "a packet behind a broken length has an effect");
});

it("a WebSocket frame that ends before its packet, and one that holds two", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe(owner.topic("#"));
  const client = await arena.connect(owner, {}, arena.doors[1]);
  const whole = build.publish({ topic: owner.topic("x"), payload: "whole" });
  const { socket } = client.stream;
  // a frame is no border of packets
  socket.write(frame(opcode.binary, whole.subarray(0, 5)));
  socket.write(frame(opcode.binary, Buffer.concat([whole.subarray(5), whole])));
  await client.ping();
  for (const message of await watcher.messages(2)) expect(message.payload.toString()).toBe("whole");
  const short = unique("short");
  socket.write(frame(opcode.binary, build.publish({ topic: owner.topic("x"), payload: short }).subarray(0, -1)));
  client.stream.destroy();
  await nothingComes(watcher, "half a packet is a message");
});

it("a body is refused by its claim, and by its bytes, before it is read", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const { host } = new URL(arena.server.httpUrl);
  const head = (...more: string[]): string =>
    [
      `POST /v1/messages?topic=${encodeURIComponent(owner.topic("x"))} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${owner.id}.${owner.secret}`,
      ...more,
    ].join("\r\n");
  const seen = await arena.observe();
  const claimed = await rawHttp(arena, `${head("Content-Length: 1073741824")}\r\n\r\n`, 2_000);
  expect(claimed.status).toBe(413);
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000), Buffer.from("\r\n")]);
  const chunks = Buffer.concat([Buffer.from(`${head("Transfer-Encoding: chunked")}\r\n\r\n`), chunk, chunk, chunk]);
  expect([0, 413]).toContain((await rawHttp(arena, chunks, 2_000)).status);
  const both = head("Content-Length: 5", "Transfer-Encoding: chunked");
  const smuggled = `${both}\r\n\r\n0\r\n\r\nGET /v1/whoami HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const answer = await rawHttp(arena, smuggled, 1_000);
  expect(answer.text.match(/HTTP\/1\.1 \d/g)?.length ?? 0).toBeLessThanOrEqual(1);
  expect(answer.status).toBe(400);
  for (const length of ["-1", "5, 5", "0x5", "5 ", "+5", "1e3"]) {
    const { status } = await rawHttp(arena, `${head(`Content-Length: ${length}`)}\r\n\r\nhello`, 500);
    expect([400, 0, ...(length === "5 " ? [201] : [])], length).toContain(status);
  }
  expect(seen.memoryGrowth()).toBeLessThan(48);
});
