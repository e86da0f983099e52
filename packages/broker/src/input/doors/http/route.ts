import type { z } from "zod";
import type { Administration } from "../../../model/administration.ts";
import type { Action, AdminAction } from "../../../model/policy.ts";
import type { Caller } from "./authentication.ts";

/** Who may use a route: everyone, everyone with a valid key, or whoever holds an admin right. */
type RoutePermission = "public" | "authenticated" | AdminAction;

export interface RouteRequest<Query, Body> {
  readonly administration: Administration;
  /** Undefined on public routes only. */
  readonly caller: Caller | undefined;
  /** Decoded values of the `:names` in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The caller if it holds `action`; throws 401 or 403 otherwise. For routes that ask for more in some cases. */
  demand(action: AdminAction): Caller;
}

export interface Answer {
  readonly status: number;
  /** Left out with 204. A string goes out as it is, with `mediaType`; anything else as JSON. */
  readonly body?: unknown;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A route as data: the door checks permission, query and body by it, tests walk over it. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Levels beginning with `:` are parameters. */
  readonly path: string;
  readonly permission: RoutePermission;
  readonly summary: string;
  /** Parameters of the query, each at most once; unknown ones are refused. */
  readonly query: z.ZodType;
  /** Absent: the route takes no body. `text`: the handler reads the JSON itself. */
  readonly body?: z.ZodType | "text";
  handle(request: RouteRequest<unknown, unknown>): Answer | Promise<Answer>;
}

/** A route whose handler sees the types of its schemas. */
export interface TypedRoute<Query, Body> extends Omit<Route, "query" | "body" | "handle"> {
  readonly query: z.ZodType<Query>;
  readonly body?: z.ZodType<Body> | "text";
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
  "admin.keys",
  "admin.policy",
  "admin.sessions",
  "admin.metrics",
  "admin.audit",
  "admin.storage",
];
