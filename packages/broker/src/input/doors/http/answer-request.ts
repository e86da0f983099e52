import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { AdministrationError } from "../../../model/administration.ts";
import type { AdminAction } from "../../../model/policy.ts";
import { type AuthenticationParts, authenticate, type Caller } from "./authentication.ts";
import { HttpRefusal, PROBLEM_MEDIA_TYPE, type ProblemCode, type ProblemError, problemDocument } from "./problem.ts";
import { readJsonText } from "./read-body.ts";
import { checkHost, checkOrigin, type RequestHead } from "./request-origin.ts";
import type { Answer, Route } from "./route.ts";

export interface AnswerParts extends AuthenticationParts {
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
  return await answering(parts, async () => {
    checkFromWhere(parts, request.head);
    const caller = route.permission === "public" ? undefined : admit(parts, request);
    if (caller !== undefined && route.permission !== "authenticated") {
      authorize(parts, caller, route.permission as AdminAction, request);
    }
    const query = readQuery(route.query, request.query);
    const body = await readBody(parts, route, request.incoming);
    const answer = await route.handle({
      administration: parts.administration,
      caller,
      params: request.params,
      query,
      body,
      demand: (action) => {
        const asking = caller ?? admit(parts, request);
        authorize(parts, asking, action, request);
        return asking;
      },
    });
    return toResponse(answer);
  });
}

/** Answers a request that has no route: 405 where others methods have one, else 404. Never throws. */
export async function answerNoRoute(
  parts: AnswerParts,
  request: IncomingRequest,
  allowed: readonly string[],
): Promise<Response> {
  return await answering(parts, async () => {
    checkFromWhere(parts, request.head);
    // Without a key one cannot find out what exists below /v1 (THREATS C1).
    if (request.path === "/v1" || request.path.startsWith("/v1/")) admit(parts, request);
    if (allowed.length === 0) throw new HttpRefusal("not-found", "nothing is served under this path");
    const allow = allowed.join(", ");
    throw new HttpRefusal("method-not-allowed", `use ${allow}`, { headers: { allow } });
  });
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

function checkFromWhere(parts: AnswerParts, head: RequestHead): void {
  checkHost(head, parts.hostNames);
  if (head.method !== "GET" && head.method !== "HEAD") checkOrigin(head);
}

function admit(parts: AnswerParts, request: IncomingRequest): Caller {
  const address = request.incoming.socket.remoteAddress ?? "";
  return authenticate(parts, request.incoming.headers.authorization, address);
}

function authorize(parts: AnswerParts, caller: Caller, action: AdminAction, request: IncomingRequest): void {
  const { administration } = parts;
  if (administration.authorize(caller.principal, action)) return;
  administration.audit("acl.deny", { principal: caller.principal, action, path: request.path });
  throw new HttpRefusal("forbidden", `${action} is needed`);
}

function readQuery(schema: z.ZodType, query: URLSearchParams): unknown {
  const names = [...query.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new HttpRefusal("wrong-parameters", `${repeated} is given more than once`, {
      errors: [{ path: repeated, message: "is given more than once" }],
    });
  }
  return check(schema, Object.fromEntries(query), "wrong-parameters");
}

async function readBody(parts: AnswerParts, route: Route, incoming: IncomingMessage): Promise<unknown> {
  if (route.body === undefined) return undefined;
  const text = await readJsonText(incoming, parts.bodyBytesMax);
  if (route.body === "text") return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may be a secret.
    throw new HttpRefusal("not-json", "the body is not JSON");
  }
  return check(route.body, value, "invalid");
}

function check(schema: z.ZodType, value: unknown, code: ProblemCode): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: ProblemError[] = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const first = errors[0];
  throw new HttpRefusal(code, `${first?.path ?? ""}: ${first?.message ?? ""}`.replace(/^: /, ""), { errors });
}

function toResponse({ status, body, mediaType, headers }: Answer): Response {
  if (body === undefined) return new Response(null, { status, headers: { ...SECURITY_HEADERS, ...headers } });
  const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
  const type = mediaType ?? "application/json";
  return new Response(text, { status, headers: { ...SECURITY_HEADERS, "content-type": type, ...headers } });
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
