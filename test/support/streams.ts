/** Byte streams to a server over TCP, TLS, WebSocket and WebSocket-TLS, with control over how bytes are cut. */
import { createHash, randomBytes } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface Endpoint {
  readonly kind: "tcp" | "tls" | "ws" | "wss";
  readonly host: string;
  readonly port: number;
  /** PEM of the authority to trust. */
  readonly ca?: string | undefined;
  /** Client certificate to show, PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Where to come from: 127.0.0.2 and the like are other clients to a server that counts by address. */
  readonly from?: string | undefined;
}

export interface Stream {
  write(bytes: Buffer): void;
  /** Sends FIN (after a close frame where there are frames). */
  end(): void;
  /** Breaks the connection without a word. */
  destroy(): void;
  readonly socket: Socket;
}

export interface StreamEvents {
  bytes(bytes: Buffer): void;
  closed(reason: string): void;
}

function openSocket(endpoint: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secure = endpoint.kind === "tls" || endpoint.kind === "wss";
    const { port, ca, from, certificate } = endpoint;
    const target = { host: endpoint.host, port, ...(from === undefined ? {} : { localAddress: from }) };
    const socket = secure
      ? connectTls({ ...target, ...(ca === undefined ? {} : { ca }), ...certificate, servername: "localhost" })
      : connectTcp(target);
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once(secure ? "secureConnect" : "connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

export async function openStream(endpoint: Endpoint, events: StreamEvents): Promise<Stream> {
  const socket = await openSocket(endpoint);
  if (endpoint.kind === "ws" || endpoint.kind === "wss") return openWebSocket(socket, endpoint, events);
  let reason = "closed";
  socket.on("data", (bytes: Buffer) => events.bytes(bytes));
  socket.on("error", (error: Error) => {
    reason = error.message;
  });
  socket.on("close", () => events.closed(reason));
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One masked client frame. */
export function frame(code: number, payload: Buffer, fin = true): Buffer {
  const mask = randomBytes(4);
  const head = [(fin ? 0x80 : 0) | code];
  if (payload.length < 126) head.push(0x80 | payload.length);
  else if (payload.length < 65_536) head.push(0x80 | 126, payload.length >> 8, payload.length & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.length));
    head.push(0x80 | 127, ...length);
  }
  const masked = Buffer.from(payload);
  for (let index = 0; index < masked.length; index += 1) masked[index] = (masked[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return Buffer.concat([Buffer.from(head), mask, masked]);
}

export interface Upgrade {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** What came after the headers. */
  readonly rest: Buffer;
}

/** Sends the upgrade request and reads the head of the answer. */
export function upgrade(
  socket: Socket,
  endpoint: Endpoint,
  path = "/mqtt",
  extra: Record<string, string> = {},
): Promise<Upgrade> {
  const headers: Record<string, string> = {
    Host: `localhost:${endpoint.port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
    ...extra,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== "");
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  const accept = createHash("sha1")
    .update(`${headers["Sec-WebSocket-Key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const failed = (): void => reject(new Error(`no answer to the upgrade: ${seen.toString("latin1")}`));
    socket.once("close", failed);
    socket.once("error", failed);
    const read = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", read);
      socket.off("close", failed);
      socket.off("error", failed);
      const [first = "", ...rows] = seen.subarray(0, end).toString("latin1").split("\r\n");
      const pairs = rows.map((line) => [
        line.slice(0, line.indexOf(":")).toLowerCase(),
        line.slice(line.indexOf(":") + 1).trim(),
      ]);
      const answered = new Map(pairs as [string, string][]);
      const status = Number(first.split(" ")[1]);
      if (status === 101 && answered.get("sec-websocket-accept") !== accept)
        reject(new Error("wrong Sec-WebSocket-Accept"));
      resolve({ status, headers: answered, rest: seen.subarray(end + 4) });
    };
    socket.on("data", read);
  });
}

/** Takes server frames apart; anything but unmasked binary data, ping, pong and close is reported as the reason of a closure. */
class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  readonly #socket: Socket;
  readonly #events: StreamEvents;
  reason = "closed";

  constructor(socket: Socket, events: StreamEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  add(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#one()) {
      // each call takes one frame
    }
  }

  #one(): boolean {
    const held = this.#held;
    if (held.length < 2) return false;
    const short = held.readUInt8(1) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (held.length < head) return false;
    const length = short < 126 ? short : short === 126 ? held.readUInt16BE(2) : Number(held.readBigUInt64BE(2));
    if (held.length < head + length) return false;
    const payload = Buffer.from(held.subarray(head, head + length));
    this.#held = held.subarray(head + length);
    this.#frame(held.readUInt8(0) & 15, payload, (held.readUInt8(1) & 0x80) !== 0);
    return true;
  }

  #frame(code: number, payload: Buffer, masked: boolean): void {
    if (masked || code === opcode.text) {
      this.reason = masked ? "server frame is masked" : "server sent a text frame";
      this.#socket.destroy();
    } else if (code === opcode.close) {
      this.reason = `websocket close ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`;
      this.#socket.end(frame(opcode.close, payload.subarray(0, 2)));
    } else if (code === opcode.ping) {
      this.#socket.write(frame(opcode.pong, payload));
    } else if (code === opcode.binary || code === opcode.continuation) {
      this.#events.bytes(payload);
    }
  }
}

async function openWebSocket(socket: Socket, endpoint: Endpoint, events: StreamEvents): Promise<Stream> {
  const answer = await upgrade(socket, endpoint);
  if (answer.status !== 101) throw new Error(`upgrade refused with ${answer.status}`);
  const reader = new FrameReader(socket, events);
  socket.on("data", (bytes: Buffer) => reader.add(bytes));
  socket.on("error", () => {});
  socket.on("close", () => events.closed(reader.reason));
  if (answer.rest.length > 0) reader.add(answer.rest);
  return {
    socket,
    write: (bytes) => void socket.write(frame(opcode.binary, bytes)),
    end: () => void socket.end(frame(opcode.close, Buffer.from([0x03, 0xe8]))),
    destroy: () => void socket.destroy(),
  };
}
