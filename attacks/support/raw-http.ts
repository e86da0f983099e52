/** Requests that no client library would send. */
import { exchange } from "../../test/support/exchange.ts";
import type { Arena } from "./arena.ts";

export interface RawAnswer {
  /** 0 when nothing came that looks like HTTP. */
  readonly status: number;
  readonly text: string;
  readonly closed: boolean;
}

/** Sends bytes over TLS to the HTTP port and reads until the end, or for `milliseconds`. */
export async function rawHttp(arena: Arena, bytes: Buffer | string, milliseconds = 1_000): Promise<RawAnswer> {
  const endpoint = { ...arena.server.webSocket, kind: "tls" as const };
  const { answer, closed } = await exchange(endpoint, Buffer.from(bytes), milliseconds);
  const text = answer.toString("latin1");
  return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text, closed };
}

/** A handshake of WebSocket with further headers. */
export function upgradeRequest(host: string, ...headers: string[]): string {
  const lines = [
    "GET /mqtt HTTP/1.1",
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: mqtt",
    ...headers,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
