import type { IncomingMessage } from "node:http";
import type { RequestHead } from "./request-origin.ts";

export function requestHead(incoming: IncomingMessage): RequestHead {
  const { socket } = incoming;
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "",
    headers: incoming.headers,
    localAddress: socket.localAddress,
    encrypted: "encrypted" in socket && socket.encrypted === true,
  };
}
