import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { type Administration, AdministrationError } from "../../../model/administration.ts";
import { ownerOf } from "../../../model/derived-principal.ts";
import type { AdminAction } from "../../../model/policy.ts";
import { type AuthenticationParts, authenticate, type Caller, presentedBy } from "./authentication.ts";
import { faultsOf } from "./faults.ts";
import { NDJSON_MEDIA_TYPE } from "./media-types.ts";
import { HttpRefusal, PROBLEM_MEDIA_TYPE, type ProblemCode, problemDocument } from "./problem.ts";
import { hasNoBody, readBytes, readJsonText, readText } from "./read-body.ts";
import { checkHost, checkOrigin, type RequestHead } from "./request-origin.ts";
import type { RequestQuota } from "./request-quota.ts";
import type { Answer, Route, Services } from "./route.ts";

export interface AnswerParts extends AuthenticationParts {
  readonly administration: Administration;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  readonly services: Services;
  /** Left out in insecure development mode. */
  readonly quota?: RequestQuota;
  readonly hostNames: ReadonlySet<string>;
  readonly bodyBytesMax: number;
  /** A mistake of ours, for the log. */
  readonly failed: (error: unknown) => void;
}

/** One request, as far as it has been taken apart. */
export interface IncomingRequest {
  readonly head: RequestHead;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
}

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Answers a request whose path and method have a route. Never throws. */
export async function answerRoute(parts: AnswerParts, route: Route, request: IncomingRequest): Promise<Response> {
  const quotaHeaders: Record<string, string> = {};
  const response = await answering(parts, async () => {
    checkFromWhere(parts, request.head, route.longLived === true);
    const caller = route.permission === "public" ? nobody : await admit(parts, request);
    if (caller !== nobody) Object.assign(quotaHeaders, parts.quota?.take(ownerOf(caller.principal), parts.monotonic()));
    if (route.permission !== "public" && route.permission !== "authenticated") {
      authorize(parts, caller, route.permission, request);
    }
    if (route.longLived === true && request.head.method === "HEAD") throw notAllowed(["GET"]);
    const query = readQuery(route.query, request);
    const params = readParams(request);
    const body = await readBody(parts, route, request.incoming);
    const giveBack = route.longLived === true ? parts.quota?.open(ownerOf(caller.principal)) : undefined;
    if (giveBack !== undefined) onGone(request.outgoing, giveBack);
    const answer = await route.handle({
      services: parts.services,
      administration: parts.administration,
      caller,
      address: request.incoming.socket.remoteAddress ?? "",
      params,
      query,
      headers: request.incoming.headersDistinct,
      body,
      onGone: (run) => onGone(request.outgoing, run),
      demand: async (action) => {
        const asking = caller === nobody ? await admit(parts, request) : caller;
        authorize(parts, asking, action, request);
        return asking;
      },
    });
    return toResponse(answer, request.outgoing, quotaHeaders);
  });
  if (!isStarted(response)) for (const [name, value] of Object.entries(quotaHeaders)) response.headers.set(name, value);
  return response;
}

/** Runs when the answer is out or the client is gone, whichever comes first. */
function onGone(outgoing: ServerResponse, run: () => void): void {
  if (outgoing.closed || outgoing.destroyed) run();
  else outgoing.once("close", run);
}

/** `writableFinished` will not do: it is true of what lost its socket. */
function tellWhenSent(outgoing: ServerResponse, sent: (whole: boolean) => void): void {
  const { socket } = outgoing;
  let isWhole = false;
  outgoing.once("finish", () => {
    isWhole = socket !== null && !socket.destroyed;
  });
  onGone(outgoing, () => sent(isWhole));
}

const nobody: Caller = { principal: "", keyId: "" };

/** Answers a request that has no route: 405 where others methods have one, else 404. Never throws. */
export async function answerNoRoute(
  parts: AnswerParts,
  request: IncomingRequest,
  allowed: readonly string[],
): Promise<Response> {
  return await answering(parts, async () => {
    checkFromWhere(parts, request.head, false);
    // Without a key one cannot find out what exists below /v1 (THREATS C1).
    if (request.path === "/v1" || request.path.startsWith("/v1/")) await admit(parts, request);
    if (allowed.length === 0) throw new HttpRefusal("not-found", "nothing is served under this path");
    throw notAllowed(allowed);
  });
}

function notAllowed(allowed: readonly string[]): HttpRefusal {
  const allow = allowed.join(", ");
  return new HttpRefusal("method-not-allowed", `use ${allow}`, { headers: { allow } });
}

async function answering(parts: AnswerParts, answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof HttpRefusal) return problemResponse(error);
    if (error instanceof AdministrationError) return problemResponse(new HttpRefusal(codes[error.code], error.message));
    parts.failed(error);
    // The cause is in the log; it may hold what the client must not see.
    return problemResponse(new HttpRefusal("internal"));
  }
}

const codes = {
  "not-found": "not-found",
  conflict: "conflict",
  invalid: "invalid",
  forbidden: "forbidden",
  unavailable: "unavailable",
} as const satisfies Record<AdministrationError["code"], ProblemCode>;

/** A stream is refused to pages of other sites even though they could not read it: it would keep a place taken. */
function checkFromWhere(parts: AnswerParts, head: RequestHead, isStream: boolean): void {
  checkHost(head, parts.hostNames);
  if (isStream || (head.method !== "GET" && head.method !== "HEAD")) checkOrigin(head);
}

function admit(parts: AnswerParts, { incoming }: IncomingRequest): Promise<Caller> {
  return authenticate(parts, incoming.headers.authorization, presentedBy(parts, incoming.socket));
}

function authorize(parts: AnswerParts, caller: Caller, action: AdminAction, request: IncomingRequest): void {
  const { administration, services } = parts;
  // Who has stolen a token must not make a key of it that outlives it.
  if (action === "admin.keys" && services.keyAdministration.isToken(caller.keyId))
    throw new HttpRefusal("forbidden", "a token makes and ends no credentials; use the key that it was made with");
  if (administration.authorize(caller.principal, action)) return;
  administration.audit("acl.deny", { principal: caller.principal, action, path: request.path });
  throw new HttpRefusal("forbidden", `${action} is needed`);
}

function readQuery(schema: z.ZodType, { query, incoming }: IncomingRequest): unknown {
  const [, raw = ""] = splitOnce(incoming.url ?? "", "?");
  if (!isPercentEncoded(raw)) throw new HttpRefusal("wrong-parameters", "the query is not percent-encoded UTF-8");
  const names = [...query.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new HttpRefusal("wrong-parameters", `${repeated} is given more than once`, {
      errors: [{ path: repeated, message: "is given more than once" }],
    });
  }
  return check(schema, Object.fromEntries(query), "wrong-parameters");
}

/** The router leaves alone what it cannot decode. */
function readParams({ params, incoming }: IncomingRequest): Readonly<Record<string, string>> {
  const [path = ""] = splitOnce(incoming.url ?? "", "?");
  if (!isPercentEncoded(path)) throw new HttpRefusal("bad-request", "the path is not percent-encoded UTF-8");
  return params;
}

function splitOnce(text: string, at: string): readonly [string, string?] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + at.length)];
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

async function readBody(parts: AnswerParts, route: Route, incoming: IncomingMessage): Promise<unknown> {
  const { body } = route;
  if (body === undefined) return undefined;
  if (body === "bytes") return await readBytes(incoming, parts.bodyBytesMax);
  if (body === "lines") return await readText(incoming, parts.bodyBytesMax, NDJSON_MEDIA_TYPE);
  if (route.bodyOptional === true && hasNoBody(incoming)) return check(body as z.ZodType, {}, "invalid");
  const text = await readJsonText(incoming, parts.bodyBytesMax);
  return body === "text" ? text : check(body, parseJson(text), "invalid");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may be a secret.
    throw new HttpRefusal("not-json", "the body is not JSON");
  }
}

function check(schema: z.ZodType, value: unknown, code: ProblemCode): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw faultsOf(result.error, code);
}

function toResponse(
  answer: Answer,
  outgoing: ServerResponse,
  quotaHeaders: Readonly<Record<string, string>>,
): Response {
  const { status, body, mediaType, headers, sent, stream } = answer;
  if (sent !== undefined) tellWhenSent(outgoing, sent);
  if (stream !== undefined) {
    outgoing.writeHead(status, { ...SECURITY_HEADERS, ...quotaHeaders, "content-type": mediaType ?? "", ...headers });
    stream(outgoing);
    return new Response(null, { headers: { [STARTED]: "true" } });
  }
  if (body === undefined) return new Response(null, { status, headers: { ...SECURITY_HEADERS, ...headers } });
  const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
  const type = mediaType ?? "application/json";
  return new Response(text, { status, headers: { ...SECURITY_HEADERS, "content-type": type, ...headers } });
}

/** Tells the adapter below that the answer is written elsewhere. */
const STARTED = "x-hono-already-sent";

function isStarted(response: Response): boolean {
  return response.headers.has(STARTED);
}

export function problemResponse({ problem, headers }: HttpRefusal): Response {
  return new Response(`${JSON.stringify(problem)}\n`, {
    status: problem.status,
    headers: { ...SECURITY_HEADERS, "content-type": PROBLEM_MEDIA_TYPE, ...headers },
  });
}

/** The bytes of a problem as a whole HTTP answer, for where there is no response object: broken requests, upgrades. */
export function problemBytes(
  code: ProblemCode,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): string {
  const document = problemDocument(code, detail);
  const body = `${JSON.stringify(document)}\n`;
  const all = {
    ...SECURITY_HEADERS,
    ...headers,
    "content-type": PROBLEM_MEDIA_TYPE,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${document.status} ${reasons[document.status] ?? "Error"}\r\n${lines.join("")}\r\n${body}`;
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Payload Too Large",
  421: "Misdirected Request",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
};
