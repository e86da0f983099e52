/** The problems the HTTP door answers with. The code is part of the API: it never changes its meaning. */
export type ProblemCode =
  | "bad-request"
  | "wrong-parameters"
  | "not-json"
  | "unauthorized"
  | "forbidden"
  | "signature-refused"
  | "foreign-origin"
  | "not-found"
  | "method-not-allowed"
  | "request-timeout"
  | "conflict"
  | "signature-replayed"
  | "lease-gone"
  | "body-too-large"
  | "too-large"
  | "unsupported-media-type"
  | "foreign-host"
  | "invalid"
  | "schema-violation"
  | "upgrade-required"
  | "too-many-attempts"
  | "too-many-requests"
  | "headers-too-large"
  | "internal"
  | "unavailable"
  | "quota-exceeded";

/** Status and title of each (RFC 9457). */
const catalogue: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  "bad-request": [400, "The request is malformed"],
  "wrong-parameters": [400, "The parameters are not valid"],
  "not-json": [400, "The body is not valid JSON"],
  unauthorized: [401, "A valid key is needed"],
  forbidden: [403, "The key does not permit this"],
  "signature-refused": [403, "The signature of the message is not accepted"],
  "foreign-origin": [403, "Requests from other web sites are refused"],
  "not-found": [404, "There is no such thing"],
  "method-not-allowed": [405, "This method does not exist here"],
  "request-timeout": [408, "The request did not arrive in time"],
  conflict: [409, "The request contradicts the present state"],
  "signature-replayed": [409, "A message with this signature was taken before"],
  "lease-gone": [410, "The lease is gone"],
  "body-too-large": [413, "The body is too large"],
  "too-large": [413, "The message is too large"],
  "unsupported-media-type": [415, "The body has another form than this takes"],
  "foreign-host": [421, "This server does not bear the name that was asked for"],
  invalid: [422, "The content is not valid"],
  "schema-violation": [422, "The payload does not satisfy the schema of its topic"],
  "upgrade-required": [426, "This address speaks MQTT over WebSocket"],
  "too-many-attempts": [429, "Too many failed attempts"],
  "too-many-requests": [429, "Too many requests"],
  "headers-too-large": [431, "The headers are too large"],
  internal: [500, "The server made a mistake"],
  unavailable: [503, "The server cannot do this now"],
  "quota-exceeded": [507, "There is no room for this"],
};

/** Every code with its status, for the page that documents them. */
export const problemCodes: readonly (readonly [code: string, status: number])[] = Object.entries(catalogue).map(
  ([code, [status]]) => [code, status],
);

export function problemStatus(code: ProblemCode): number {
  return catalogue[code][0];
}

export function problemTitle(code: ProblemCode): string {
  return catalogue[code][1];
}

/** The body of an `application/problem+json` answer. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** With `invalid` and `wrong-parameters`: each fault and where it is. */
  readonly errors?: readonly ProblemError[];
  /** With problems of several settlements: what became of each. */
  readonly results?: readonly unknown[];
}

export interface ProblemError {
  /** Path inside the body or name of the parameter; empty for the whole. */
  readonly path: string;
  readonly message: string;
  /** With NDJSON: the line it is in, from 1. */
  readonly line?: number;
}

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** The document of a problem. `detail` is for people: what is wrong this time and how to mend it. */
export function problemDocument(code: ProblemCode, detail?: string, errors?: readonly ProblemError[]): ProblemDocument {
  const [status, title] = catalogue[code];
  return {
    type: `urn:mess:problem:${code}`,
    title,
    status,
    ...(detail !== undefined && { detail }),
    ...(errors !== undefined && { errors }),
  };
}

export interface RefusalOptions {
  readonly errors?: readonly ProblemError[];
  readonly results?: readonly unknown[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An expected "no" of the HTTP door: thrown, and answered as its problem. */
export class HttpRefusal extends Error {
  readonly code: ProblemCode;
  readonly problem: ProblemDocument;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail?: string, options: RefusalOptions = {}) {
    super(detail ?? code);
    this.code = code;
    const { errors, results } = options;
    this.problem = { ...problemDocument(code, detail, errors), ...(results !== undefined && { results }) };
    this.headers = options.headers ?? {};
  }
}
