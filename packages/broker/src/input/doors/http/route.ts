import type { ServerResponse } from "node:http";
import type { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import type { Administration } from "../../../model/administration.ts";
import type { CertificateAdministration } from "../../../model/certificate-administration.ts";
import type { Engine } from "../../../model/engine.ts";
import type { KeyAdministration } from "../../../model/key-administration.ts";
import type { Action, AdminAction } from "../../../model/policy.ts";
import type { Queues } from "../../../model/queue.ts";
import type { QueueAdministration } from "../../../model/queue-administration.ts";
import type { SignatureVerifier } from "../../../model/signing.ts";
import type { SigningKeyAdministration } from "../../../model/signing-key-administration.ts";
import type { Deadlines } from "../../deadlines.ts";
import type { RateLimiter } from "../../rate-limiter.ts";
import type { Caller } from "./authentication.ts";
import type { ProblemCode } from "./problem.ts";
import type { HeaderValues } from "./publish-options.ts";

/** Who may use a route: everyone, everyone with a valid key, or whoever holds an admin right. */
type RoutePermission = "public" | "authenticated" | AdminAction;

/** What the routes work with. */
export interface Services {
  readonly administration: Administration;
  readonly queueAdministration: QueueAdministration;
  readonly signingKeys: SigningKeyAdministration;
  readonly signatures: SignatureVerifier;
  readonly certificateAdministration: CertificateAdministration;
  readonly keyAdministration: KeyAdministration;
  readonly engine: Engine;
  readonly queues: Queues;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly rates: RateLimiter;
  /** Wall-clock milliseconds. */
  readonly now: () => number;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  /** Unguessable text for names of our own. */
  readonly newId: () => string;
}

export interface RouteRequest<Query, Body> {
  readonly services: Services;
  readonly administration: Administration;
  /** Without a name on public routes. */
  readonly caller: Caller;
  /** Textual address the request came from. */
  readonly address: string;
  /** Decoded values of the `:names` in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly headers: HeaderValues;
  readonly body: Body;
  /** Runs once when the client is gone before it was answered; at once if it is gone already. */
  onGone(run: () => void): void;
  /** The caller if it holds `action`; rejects with 401 or 403 otherwise. For routes that ask for more in some cases. */
  demand(action: AdminAction): Promise<Caller>;
}

export interface Answer {
  readonly status: number;
  /** Left out with 204. A string goes out as it is, with `mediaType`; anything else as JSON. */
  readonly body?: unknown;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once: whether the whole answer left for the client. */
  readonly sent?: (whole: boolean) => void;
  /** Instead of `body`: writes the rest of the answer, whose head has been set. */
  readonly stream?: (outgoing: ServerResponse) => void;
}

/** What an answer of a status holds, for the description of the API. */
export interface DocumentedAnswer {
  readonly description: string;
  /** Absent: no body, or text. */
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
}

/** The form of a request's body. `bytes`: any content type; `lines`: NDJSON; `text`: the handler reads the JSON itself. */
type BodyForm = z.ZodType | "bytes" | "lines" | "text";

/** A route as data: the door checks permission, query and body by it, tests and the description walk over it. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Levels beginning with `:` are parameters. */
  readonly path: string;
  readonly group: string;
  readonly permission: RoutePermission;
  /** In words, where it is no admin right: what the caller must be granted. */
  readonly right?: string;
  readonly summary: string;
  /** Parameters of the query, each at most once; unknown ones are refused. */
  readonly query: z.ZodType;
  /** Request headers with a meaning here, for the description; the handler reads them. */
  readonly requestHeaders?: z.ZodObject;
  /** Absent: the route takes no body. */
  readonly body?: BodyForm;
  /** With `lines`: the form of one. */
  readonly bodySchema?: z.ZodType;
  /** What the description says of a body that is not JSON. */
  readonly bodyDescription?: string;
  /** True: an empty body stands for `{}`. */
  readonly bodyOptional?: boolean;
  /** By status. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** Beyond those that every route has. */
  readonly problems?: readonly ProblemCode[];
  /** True: the answer may wait or go on for long, and counts towards `httpOpenPerPrincipalMax`. */
  readonly longLived?: boolean;
  handle(request: RouteRequest<unknown, unknown>): Answer | Promise<Answer>;
}

/** A route whose handler sees the types of its schemas. */
export interface TypedRoute<Query, Body> extends Omit<Route, "query" | "body" | "handle"> {
  readonly query: z.ZodType<Query>;
  readonly body?: z.ZodType<Body> | "bytes" | "lines" | "text";
  handle(request: RouteRequest<Query, Body>): Answer | Promise<Answer>;
}

/** Forgets the types: the door calls `handle` only with what the schemas let through. */
export function route<Query, Body = undefined>(typed: TypedRoute<Query, Body>): Route {
  return typed as unknown as Route;
}

/** Every admin right, for `whoami`. */
export const adminActions: readonly AdminAction[] = [
  "admin.keys",
  "admin.policy",
  "admin.sessions",
  "admin.metrics",
  "admin.audit",
  "admin.storage",
];

/** Every action, for the query of `why`. */
export const actions: readonly [Action, ...Action[]] = [
  "publish",
  "subscribe",
  "retain",
  "will",
  "share",
  "consume",
  "create",
  "manage",
  ...(adminActions as [AdminAction, ...AdminAction[]]),
];
