import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Deadlines } from "./deadlines.ts";
import { nodeTimers, until } from "./input.test-data.ts";
import type { Reading } from "./socket-transport.ts";
import { openTcp } from "./tcp-transport.ts";

/** Opens one connection through `openTcp`, echoes, and returns how it was read and what came back. */
async function exchange(
  spoil: (accepted: Socket) => void,
): Promise<{ reading: Reading; answer: string; log: string[] }> {
  const log: string[] = [];
  let reading: Reading | undefined;
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    spoil(accepted);
    const opened = openTcp(accepted, { address: "127.0.0.1", kind: "tcp" }, new Deadlines(nodeTimers));
    reading = opened.reading;
    const handler = {
      bytes: (buffer: Buffer, start: number, end: number) => {
        opened.transport.send(Buffer.from(buffer.subarray(start, end)), () => log.push("done"));
      },
      drained: () => log.push("drained"),
      closed: (reason: string) => log.push(reason),
    };
    opened.transport.start(handler, { transportClosed: () => log.push("released") }, opened.reading);
    opened.transport.resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("hello");
  const [answer] = await once(client, "data");
  client.end();
  await until(() => log.includes("released"));
  // Resolves only when the server no longer counts the connection.
  await new Promise((resolve) => server.close(resolve));
  return { reading: reading as Reading, answer: String(answer), log };
}

describe("openTcp", () => {
  it("reads into the shared buffer on this Node", async () => {
    const result = await exchange(() => {});
    expect(result).toEqual({
      reading: "static-buffer",
      answer: "hello",
      log: ["done", "closed by the peer", "released"],
    });
  });

  it("falls back to 'data' events when the handle cannot take a buffer", async () => {
    const result = await exchange((accepted) => {
      const handle = (accepted as unknown as { _handle: { useUserBuffer: unknown } })._handle;
      handle.useUserBuffer = undefined;
    });
    expect(result).toEqual({
      reading: "data-events",
      answer: "hello",
      log: ["done", "closed by the peer", "released"],
    });
  });
});
