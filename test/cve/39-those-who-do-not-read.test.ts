// LESSONS 39, Redis CVE-2025-21605 and CVE-2022-36021, Artemis CVE-2026-39304, NanoMQ CVE-2024-48077. Elsewhere answers
// piled up in memory for a client that never read them, one pattern took the processor, and requests for new TLS keys
// cost memory each. Here a reader that does not read is not written to, and the work is bounded by what was sent.
import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { sleep, unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { openStream } from "../support/streams.ts";
import { tool } from "../support/tools.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

it("somebody without a key asks thousands of times over HTTP and reads no answer", async () => {
  const { arena } = field;
  const seen = await arena.observe();
  const endpoint = { ...arena.server.webSocket, kind: "tls" as const, from: arena.address };
  const { host } = new URL(arena.server.httpUrl);
  const request = Buffer.from(
    `GET /v1/nothing HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer x.y\r\n\r\n`.repeat(100),
  );
  const stream = await openStream(endpoint, { bytes: () => {}, closed: () => {} });
  stream.socket.pause();
  for (let count = 0; count < 200 && !stream.socket.destroyed; count += 1) {
    stream.write(request);
    if (count % 50 === 0) await sleep(20);
  }
  await sleep(500);
  expect(seen.memoryGrowth()).toBeLessThan(48);
  stream.destroy();
});

atEachDoor(field, "subscribers that do not read, and a flood of messages and of pings", async (arena, door) => {
  const owner = await arena.principal();
  const topic = owner.topic(unique("flood"));
  const seen = await arena.observe();
  const deaf = await arena.connect(owner, {}, door);
  await deaf.subscribe(topic);
  deaf.stream.socket.pause();
  const sender = await arena.connect(owner, {}, door);
  const payload = Buffer.alloc(64 << 10, 0x78);
  for (let count = 0; count < 200; count += 1) {
    sender.send(build.publish({ topic, payload }));
    if (count % 20 === 19) await sender.ping();
  }
  const pings = Buffer.alloc(20_000, build.pingreq());
  for (let count = 0; count < 20; count += 1) deaf.stream.write(pings);
  await sleep(200);
  await arena.unharmed();
  expect(seen.memoryGrowth()).toBeLessThan(64);
  deaf.stream.destroy();
});

it("filters that are slow to match elsewhere cost what they are long", async () => {
  const { arena } = field;
  const everybody = await arena.principal("everything");
  const client = await arena.connect(everybody);
  const pattern = (wild: number): string =>
    Array.from({ length: 30 }, (_, level) => ((wild >> (level % 10)) & 1 ? "+" : "a")).join("/");
  const filters = Array.from({ length: 500 }, (_, index) => `${pattern(index)}/#`);
  await client.subscribe(filters);
  const sender = await arena.connect(everybody);
  const began = performance.now();
  for (let count = 0; count < 5; count += 1) {
    await sender.publish({ topic: Array.from({ length: 64 }, () => "a").join("/"), payload: "x", qos: 1 });
  }
  expect(performance.now() - began).toBeLessThan(3_000);
});

const openssl = tool("openssl");

it.skipIf(openssl === undefined)("requests for new TLS keys, one after another", async () => {
  const { arena } = field;
  const { host, port } = arena.door.endpoint;
  const seen = await arena.observe();
  const child = spawn(openssl ?? "", ["s_client", "-tls1_3", "-connect", `${host}:${port}`]);
  try {
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        said += bytes.toString("latin1");
      });
    }
    child.stdin.on("error", () => undefined);
    for (let waited = 0; waited < 100 && !said.includes("SSL handshake has read"); waited += 1) await sleep(20);
    for (let sent = 0; sent < 200 && child.exitCode === null; sent += 1) {
      child.stdin.write("K\n");
      await sleep(1);
    }
    expect(said).toContain("KEYUPDATE");
    expect(seen.memoryGrowth()).toBeLessThan(32);
  } finally {
    child.kill("SIGKILL");
  }
});
