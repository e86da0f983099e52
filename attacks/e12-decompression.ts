import { gzipSync } from "node:zlib";
import { frame, opcode } from "../test/support/streams.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { cutOff } from "./support/moves.ts";
import { rawHttp, upgradeRequest } from "./support/raw-http.ts";

const none = hasNone("has no HTTP and no WebSocket by default");

export const e12 = attack({
  id: "E12",
  title: "Decompression bombs",
  threat: "A few bytes become gigabytes before any limit looks at them.",
  mitigation: "Nothing is ever decompressed: no permessage-deflate, no compressed bodies.",
  ways: ["https", "websocket-tls"],
  steps: [
    { name: "compression offered for WebSocket, and used without leave", run: compressedFrames, elsewhere: none },
    { name: "a compressed body", run: compressedBody, elsewhere: none },
  ],
});

async function compressedFrames(arena: Arena): Promise<void> {
  const { host } = new URL(arena.server.httpUrl);
  const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame";
  const { status, text } = await rawHttp(arena, upgradeRequest(host, offer));
  if (status !== 101) throw new Error(`the handshake is answered ${status}`);
  hold(!/sec-websocket-extensions/i.test(text), "compression is agreed on");
  const door = arena.doors.find(({ name }) => name === "websocket");
  if (door === undefined) throw new Error("no WebSocket");
  const client = await arena.connect(await arena.principal(), {}, door);
  const bytes = frame(opcode.binary, Buffer.alloc(64));
  // RSV1, the mark of a compressed frame
  bytes[0] = (bytes[0] ?? 0) | 0x40;
  client.stream.socket.write(bytes);
  await cutOff(arena, client, { otherwise: "a compressed frame is taken" });
}

async function compressedBody(arena: Arena): Promise<void> {
  const seen = await arena.observe();
  const owner = await arena.principal();
  const body = gzipSync(Buffer.alloc(64 * 1_024 * 1_024)).subarray(0, 60_000);
  const { host } = new URL(arena.server.httpUrl);
  for (const encoding of ["gzip", "deflate", "br", "gzip, gzip"]) {
    const head = [
      `POST /v1/messages?topic=${encodeURIComponent(owner.topic("x"))} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${owner.id}.${owner.secret}`,
      `Content-Encoding: ${encoding}`,
      `Content-Length: ${body.length}`,
      "Connection: close",
    ];
    const { status } = await rawHttp(arena, Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
    hold(status === 415 || status === 400, `a body in ${encoding} is answered ${status}`);
  }
  hold(seen.memoryGrowth() < 32, `it costs ${Math.round(seen.memoryGrowth())} MB`);
}
