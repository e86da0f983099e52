import { createServer as createHttpServer, type Server as HttpServer, type ServerOptions } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Limits } from "../../../config/limits.ts";
import type { ServerTls } from "../../tls.ts";
import { problemBytes, problemResponse } from "./answer-request.ts";
import { HttpRefusal, type ProblemCode } from "./problem.ts";

export interface HttpServerOptions {
  readonly limits: Limits;
  /** HTTPS with it, plain HTTP without. */
  readonly tls: ServerTls | undefined;
  /** Answers a request; hono's `fetch`. */
  readonly fetch: Parameters<typeof getRequestListener>[0];
}

/** How long a connection may idle between requests. */
const KEEP_ALIVE_MS = 5_000;
/** How long a connection may stand still in the middle of an answer. */
const STALLED_MS = 60_000;
const HEADERS_MAX = 100;

/** A server for sockets that are handed to it (`emit("connection")`); it does not listen itself. */
export function createServer(options: HttpServerOptions): HttpServer | HttpsServer {
  const { limits, tls } = options;
  const serverOptions: ServerOptions = {
    maxHeaderSize: limits.httpHeaderBytesMax,
    headersTimeout: limits.httpRequestDeadlineMs,
    requestTimeout: limits.httpRequestDeadlineMs,
    connectionsCheckingInterval: Math.min(1_000, limits.httpRequestDeadlineMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  const server =
    tls === undefined
      ? createHttpServer(serverOptions)
      : createHttpsServer({ ...serverOptions, ...tls.serverOptions, ALPNProtocols: ["http/1.1"] });
  server.maxHeadersCount = HEADERS_MAX;
  server.timeout = STALLED_MS;
  const errorHandler = (): Response =>
    problemResponse(new HttpRefusal("bad-request", "the request line or Host is not valid"));
  server.on("request", getRequestListener(options.fetch, { overrideGlobalObjects: false, errorHandler }));
  server.on("clientError", (error: Error & { code?: string }, socket: Duplex) => answerClientError(error, socket));
  // The server starts the clock of its request deadlines when it listens, which it never will.
  server.emit("listening");
  return server;
}

/** What a client did to the protocol is answered, if it can still be, and the connection closed. */
function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  const code = error.code ?? "";
  const speaksHttp = code.startsWith("HPE_") || code === "ERR_HTTP_REQUEST_TIMEOUT";
  if (!speaksHttp || !socket.writable) return void socket.destroy();
  const [problem, detail] = clientErrors[code] ?? ["bad-request", "this is not a valid HTTP/1.1 request"];
  socket.end(problemBytes(problem, detail), () => socket.destroy());
}

const clientErrors: Readonly<Record<string, readonly [ProblemCode, string?]>> = {
  HPE_HEADER_OVERFLOW: ["headers-too-large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["body-too-large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["request-timeout"],
};
