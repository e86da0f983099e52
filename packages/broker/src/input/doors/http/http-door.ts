import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Limits } from "../../../config/limits.ts";
import type { Administration } from "../../../model/administration.ts";
import type { Authenticator, PresentedCertificate } from "../../../model/authentication.ts";
import type { CertificateAdministration } from "../../../model/certificate-administration.ts";
import type { Engine } from "../../../model/engine.ts";
import type { KeyAdministration } from "../../../model/key-administration.ts";
import type { Queues } from "../../../model/queue.ts";
import type { QueueAdministration } from "../../../model/queue-administration.ts";
import type { SignatureVerifier } from "../../../model/signing.ts";
import type { SigningKeyAdministration } from "../../../model/signing-key-administration.ts";
import { releaseOnClose, startAcceptor } from "../../acceptor.ts";
import type { Admission } from "../../admission.ts";
import type { Deadlines } from "../../deadlines.ts";
import { Handshakes } from "../../handshakes.ts";
import { type Listening, TransportSet } from "../../listener.ts";
import type { RateLimiter } from "../../rate-limiter.ts";
import type { ServerTls } from "../../tls.ts";
import type { AcceptTransport } from "../../transport.ts";
import {
  type AnswerParts,
  answerNoRoute,
  answerRoute,
  type IncomingRequest,
  problemResponse,
} from "./answer-request.ts";
import type { HttpCounters } from "./http-counters.ts";
import { createServer } from "./http-server.ts";
import { HttpRefusal } from "./problem.ts";
import { requestHead } from "./request-head.ts";
import { hostNameSet } from "./request-origin.ts";
import { RequestQuota } from "./request-quota.ts";
import type { Services } from "./route.ts";
import { routesOf } from "./routes.ts";
import { webSocketUpgrade } from "./websocket-upgrade.ts";

export interface StartHttpOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly limits: Limits;
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  /** HTTPS with it; plain HTTP without, for loopback in insecure development mode only. */
  readonly tls?: ServerTls;
  /** Names a Host header may bear, as of `certificateNames`; the address a connection came in on is always one. */
  readonly hostNames: readonly string[];
  readonly administration: Administration;
  /** For event streams of plain topics. */
  readonly engine: Engine;
  readonly queues: Queues;
  readonly queueAdministration: QueueAdministration;
  readonly signingKeys: SigningKeyAdministration;
  readonly signatures: SignatureVerifier;
  readonly certificateAdministration: CertificateAdministration;
  readonly keyAdministration: KeyAdministration;
  readonly authenticator: Authenticator;
  readonly rates: RateLimiter;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  /** Wall-clock milliseconds. */
  readonly now: () => number;
  /** Unguessable text for names of our own. */
  readonly newId: () => string;
  /** In insecure development mode: everyone is this principal, without a credential. */
  readonly anonymous?: string;
  /** The MQTT door, for WebSocket connections. */
  readonly upgrade: AcceptTransport;
  readonly counters: HttpCounters;
  /** A mistake of ours in a request, for the log. */
  readonly failed: (error: unknown) => void;
}

type App = Hono<{ Bindings: HttpBindings }>;

/** Serves the HTTP API, health, metrics and MQTT over WebSocket on one port. Rejects with `ListenError`. */
export async function startHttp(options: StartHttpOptions): Promise<Listening> {
  const { limits, admission, deadlines, tls, administration, authenticator, anonymous } = options;
  const hostNames = hostNameSet(options.hostNames);
  const services: Services = options;
  const presented = (socket: Socket): PresentedCertificate | undefined => tls?.presented(socket);
  const app = httpApp({
    administration,
    authenticator,
    services,
    // In insecure development mode rates are off.
    ...(anonymous === undefined && { quota: quotaOf(limits, administration) }),
    ...(anonymous !== undefined && { anonymous }),
    presented,
    monotonic: options.monotonic,
    hostNames,
    bodyBytesMax: limits.httpBodyBytesMax,
    failed: options.failed,
  });
  const webSockets = new TransportSet(() => {});
  const server = createServer({ limits, tls, fetch: (request, env) => app.fetch(request, env) });
  const accept = options.upgrade;
  server.on("upgrade", webSocketUpgrade({ limits, deadlines, hostNames, accept, presented, connections: webSockets }));
  const handshakes = tls && new Handshakes({ server: server as HttpsServer, admission, deadlines, limits });
  const sockets = new Set<Socket>();
  const { counters } = options;
  server.on("request", (_, response: ServerResponse) => countAnswer(counters, response));
  const acceptor = await startAcceptor({
    host: options.host,
    port: options.port,
    admission,
    paused: false,
    accepted: (socket, address) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      releaseOnClose(admission, socket, address);
      if (handshakes === undefined) server.emit("connection", socket);
      else handshakes.begin(socket, address);
    },
  });
  if (tls !== undefined) tls.attach(server as HttpsServer);
  return {
    port: acceptor.port,
    get connections(): number {
      return sockets.size;
    },
    stopAccepting: () => acceptor.stop(),
    close: async () => {
      acceptor.stop();
      if (tls !== undefined) tls.detach(server as HttpsServer);
      await closeAll(server, sockets, counters);
    },
  };
}

/** Answers under way have so long to leave; who waits was told by the engine that it is over. */
const LAST_ANSWERS_MS = 1_000;
const LOOK_MS = 10;

/** Waits for the answers under way, but not for long; then all sockets end, and the clock of the server does. */
async function closeAll(
  server: HttpServer | HttpsServer,
  sockets: ReadonlySet<Socket>,
  counters: HttpCounters,
): Promise<void> {
  for (let waited = 0; counters.open > 0 && waited < LAST_ANSWERS_MS; waited += LOOK_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const closed = [...sockets].map((socket) => new Promise<void>((resolve) => socket.on("close", () => resolve())));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  // It never listened, which it reports; that does not matter here.
  server.close(() => {});
}

function countAnswer(counters: HttpCounters, response: ServerResponse): void {
  counters.open += 1;
  response.once("close", () => {
    counters.open -= 1;
    const digit = response.headersSent ? Math.floor(response.statusCode / 100) : 0;
    counters.answers[digit] = (counters.answers[digit] ?? 0) + 1;
  });
}

function quotaOf(limits: Limits, administration: Administration): RequestQuota {
  return new RequestQuota({
    perSecond: limits.httpRequestsPerPrincipalPerSecond,
    openMax: limits.httpOpenPerPrincipalMax,
    limitHit: (limit, principal) => administration.audit("limit.hit", { limit, principal }),
  });
}

/** The routes as a hono application. */
function httpApp(parts: AnswerParts): App {
  const routes = routesOf(parts.services.limits);
  const app: App = new Hono<{ Bindings: HttpBindings }>();
  for (const route of routes) {
    app.on(route.method, route.path, (c) => answerRoute(parts, route, incomingRequest(c)));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map((route) => route.method);
    const allowed = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    app.all(path, (c) => answerNoRoute(parts, incomingRequest(c), allowed));
  }
  app.notFound((c) => answerNoRoute(parts, incomingRequest(c as Context<{ Bindings: HttpBindings }>), []));
  app.onError((error) => {
    parts.failed(error);
    return problemResponse(new HttpRefusal("internal"));
  });
  return app;
}

function incomingRequest(c: Context<{ Bindings: HttpBindings }>): IncomingRequest {
  const { incoming, outgoing }: { incoming: IncomingMessage; outgoing: ServerResponse } = c.env;
  const { pathname, searchParams } = new URL(c.req.url);
  return {
    head: requestHead(incoming),
    path: pathname,
    query: searchParams,
    incoming,
    outgoing,
    params: c.req.param(),
  };
}
