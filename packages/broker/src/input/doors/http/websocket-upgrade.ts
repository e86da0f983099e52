import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type ServerOptions, WebSocketServer } from "ws";
import type { Limits } from "../../../config/limits.ts";
import type { PresentedCertificate } from "../../../model/authentication.ts";
import type { Deadlines } from "../../deadlines.ts";
import type { TransportSet } from "../../listener.ts";
import { TlsPeer } from "../../tls-peer.ts";
import type { AcceptTransport, Peer } from "../../transport.ts";
import { WebSocketTransport } from "../../websocket-transport.ts";
import { problemBytes } from "./answer-request.ts";
import { HttpRefusal, type ProblemCode } from "./problem.ts";
import { requestHead } from "./request-head.ts";
import { checkHost, checkOrigin } from "./request-origin.ts";
import { WEBSOCKET_PATH } from "./routes/websocket.ts";

const SUB_PROTOCOL = "mqtt";
const WEBSOCKET_VERSION = "13";

export interface WebSocketUpgradeOptions {
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly hostNames: ReadonlySet<string>;
  readonly accept: AcceptTransport;
  readonly connections: TransportSet;
  /** The client certificate of a connection, if it came with one. */
  readonly presented: (socket: Socket) => PresentedCertificate | undefined;
}

/** More than the largest packet: a frame may hold a packet and the beginning of others. */
const FRAME_EXTRA_BYTES = 64 * 1_024;
/** A frame's own header, and what may stand beside CONNECT in it. */
const HELD_EXTRA_BYTES = 1_024;

/** Handles `upgrade` of an HTTP server: MQTT over WebSocket at `/mqtt` (MQTT 5.0 section 6), nothing elsewhere. */
export function webSocketUpgrade(
  options: WebSocketUpgradeOptions,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { limits, deadlines, accept, connections } = options;
  // Its types do not know `closeTimeout` and the two after it yet.
  const settings: ServerOptions & { closeTimeout: number; maxFragments: number; maxBufferedChunks: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.packetBytesMax + FRAME_EXTRA_BYTES,
    handleProtocols: () => SUB_PROTOCOL,
    closeTimeout: 1_000,
    maxFragments: 1_024,
    maxBufferedChunks: 16_384,
  };
  const server = new WebSocketServer(settings);
  server.on("wsClientError", (_error, socket) =>
    refuse(socket, "bad-request", "this is not a valid WebSocket handshake"),
  );
  return (request, socket, head) => {
    try {
      check(request, options.hostNames);
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error;
      refuse(socket, error.code, error.message);
      return;
    }
    const { remoteAddress } = request.socket;
    if (remoteAddress === undefined) return void socket.destroy();
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const transport = new WebSocketTransport(webSocket, request.socket, {
        peer: peerOf(request.socket, remoteAddress, options.presented(request.socket)),
        deadlines,
        heldBytesMax: limits.connectPacketBytesMax + HELD_EXTRA_BYTES,
      });
      connections.add(transport);
      transport.start(accept(transport), connections);
    });
  };
}

function check(request: IncomingMessage, hostNames: ReadonlySet<string>): void {
  const head = requestHead(request);
  checkHost(head, hostNames);
  // Before the upgrade: browsers let any page open a WebSocket to us, and only tell us whose page it is (THREATS C2).
  checkOrigin(head);
  const [path] = head.target.split("?", 1);
  if (path !== WEBSOCKET_PATH) throw new HttpRefusal("not-found", `WebSocket is served at ${WEBSOCKET_PATH} only`);
  if (request.headers["sec-websocket-version"] !== WEBSOCKET_VERSION) {
    throw new HttpRefusal("bad-request", "WebSocket version 13 (RFC 6455) is served");
  }
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (!offered.includes(SUB_PROTOCOL)) {
    // [MQTT-6.0.0-3]
    throw new HttpRefusal("bad-request", `offer the sub-protocol "${SUB_PROTOCOL}"`);
  }
}

function refuse(socket: Duplex, code: ProblemCode, detail: string): void {
  socket.on("error", () => {});
  socket.end(problemBytes(code, detail), () => socket.destroy());
}

function peerOf(socket: Socket, address: string, certificate: PresentedCertificate | undefined): Peer {
  return socket instanceof TLSSocket
    ? new TlsPeer(socket, { address, kind: "websocket-tls", ...(certificate !== undefined && { certificate }) })
    : { address, kind: "websocket" };
}
