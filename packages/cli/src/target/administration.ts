import http from "node:http";
import https from "node:https";
import { isLoopback } from "@mess/client";
import { CliError, configurationError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";
import { formatKey } from "./key-text.ts";
import type { Target } from "./target.ts";

export interface AdministrationRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With the query, if any: `/v1/policy?dryRun=true`. */
  readonly path: string;
  /** Sent as JSON; a text as NDJSON, as it is. */
  readonly body?: unknown;
  /** Milliseconds that the server may take longer to answer: it was asked to wait. */
  readonly patience?: number;
  /** What to do about an answer of this status, where it is known. */
  readonly hints?: Readonly<Record<number, string>>;
}

const deadlineMs = 30_000;
const answerBytesMax = 64 * 1024 * 1024;

export interface StreamedAnswer {
  readonly headers: http.IncomingHttpHeaders;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The HTTP side of a server, for administration. The certificate is checked against the target's CA alone. */
export class Administration {
  readonly #target: Target;
  readonly #base: URL;
  readonly #signal: AbortSignal | undefined;

  constructor(target: Target, signal?: AbortSignal) {
    if (target.httpUrl === undefined) {
      throw configurationError("the HTTP address of the server is not known", "pass --http-url https://HOST:PORT");
    }
    if (!URL.canParse(target.httpUrl))
      throw configurationError(`"${target.httpUrl}" is not a URL`, "use https://HOST:PORT");
    this.#target = target;
    this.#base = new URL(target.httpUrl);
    this.#signal = signal;
    const host = this.#base.hostname.replace(/^\[(.*)\]$/u, "$1");
    if (this.#base.protocol !== "https:" && this.#base.protocol !== "http:") {
      throw configurationError(`the scheme ${this.#base.protocol}// is not supported`, "use https://HOST:PORT");
    }
    if (this.#base.protocol === "http:" && !isLoopback(host) && target.key !== undefined) {
      throw configurationError(`the key would cross the network in clear to ${host}`, "use https://");
    }
  }

  /**
   * The answer's JSON; undefined when it has no body.
   *
   * @throws CliError: 69 not reachable, 77 not permitted, 64 a wrong request, with the server's own words
   */
  async request(request: AdministrationRequest): Promise<unknown> {
    const { status, text } = await this.#exchange(request);
    const value = parseJson(text);
    if (status >= 200 && status < 300) {
      if (text !== "" && value === undefined) throw notOurs(this.#base, "its answer is not JSON");
      return value;
    }
    throw problem(status, value, request.hints);
  }

  /** Whether there is something under the path. Throws like `request`. */
  async exists(path: string): Promise<boolean> {
    const { status, text } = await this.#exchange({ method: "GET", path });
    if (status === 404) return false;
    if (status >= 200 && status < 300) return true;
    throw problem(status, parseJson(text));
  }

  /** The answer's lines of JSON. Throws like `request`. */
  async requestLines(request: AdministrationRequest): Promise<readonly unknown[]> {
    const { status, text } = await this.#exchange(request);
    if (status < 200 || status >= 300) throw problem(status, parseJson(text), request.hints);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const value = parseJson(line);
        if (value === undefined) throw notOurs(this.#base, "a line of its answer is not JSON");
        return value;
      });
  }

  /** The answer as it comes, however long it takes. Throws like `request`, also while it is read. */
  async stream(request: AdministrationRequest): Promise<StreamedAnswer> {
    const stalled = new AbortController();
    const answer = await this.#send(request, stalled);
    const status = answer.statusCode ?? 0;
    if (status < 200 || status >= 300) throw problem(status, parseJson(await collect(answer)), request.hints);
    return { headers: answer.headers, chunks: this.#chunks(answer, stalled) };
  }

  async *#chunks(answer: http.IncomingMessage, stalled: AbortController): AsyncGenerator<Uint8Array> {
    // The server, not the reader, is given this time for each piece.
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      for (;;) {
        const timer = setTimeout(() => stalled.abort(), deadlineMs);
        const next = await chunks.next().finally(() => clearTimeout(timer));
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      throw this.#failure(error as Error, stalled.signal.aborted);
    } finally {
      answer.destroy();
    }
  }

  async #exchange(request: AdministrationRequest): Promise<{ status: number; text: string }> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs + (request.patience ?? 0));
    try {
      const answer = await this.#send(request, deadline);
      return { status: answer.statusCode ?? 0, text: await collect(answer) };
    } catch (error) {
      throw this.#failure(error as Error, deadline.signal.aborted);
    } finally {
      clearTimeout(timer);
    }
  }

  #send(request: AdministrationRequest, deadline: AbortController): Promise<http.IncomingMessage> {
    const { ca, key, certificate } = this.#target;
    const isText = typeof request.body === "string";
    const body = request.body === undefined || isText ? request.body : JSON.stringify(request.body);
    const url = new URL(request.path, this.#base);
    const options: https.RequestOptions = {
      method: request.method,
      agent: false,
      signal: this.#signal === undefined ? deadline.signal : AbortSignal.any([this.#signal, deadline.signal]),
      headers: {
        accept: "application/json, application/problem+json",
        ...(key !== undefined && { authorization: `Bearer ${formatKey(key)}` }),
        ...(body !== undefined && {
          "content-type": isText ? "application/x-ndjson" : "application/json",
          "content-length": Buffer.byteLength(body as string),
        }),
      },
    };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#failure(error, deadline.signal.aborted));
      const onAnswer = resolve;
      const outgoing =
        url.protocol === "https:"
          ? https.request(
              url,
              { ...options, minVersion: "TLSv1.2", ...certificate, ...(ca !== undefined && { ca }) },
              onAnswer,
            )
          : http.request(url, options, onAnswer);
      outgoing.on("error", fail).end(body as string | undefined);
    });
  }

  #failure(error: Error, late: boolean): unknown {
    if (error instanceof CliError || this.#signal?.aborted === true) return this.#signal?.reason ?? error;
    const where = this.#base.host;
    if (late) return new CliError(ExitCode.unreachable, `${where} did not answer within ${deadlineMs / 1000} s`);
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    if (/^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO)/u.test(code)) {
      return configurationError(
        `no trusted connection to ${where}: ${error.message}`,
        "pass the server's own CA with --ca",
      );
    }
    const hint = code === "ECONNREFUSED" ? "nothing listens there: is the server running?" : undefined;
    return new CliError(ExitCode.unreachable, `cannot reach ${where}: ${code || error.message}`, hint, error);
  }
}

async function collect(answer: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerBytesMax) throw new CliError(ExitCode.unreachable, "the server's answer is larger than 64 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notOurs(base: URL, why: string): CliError {
  return new CliError(
    ExitCode.unreachable,
    `${base.host} does not answer like mess: ${why}`,
    "is it the HTTP port of mess?",
  );
}

const statusCodes: Readonly<Record<number, ExitCode>> = {
  401: ExitCode.notPermitted,
  403: ExitCode.notPermitted,
  410: ExitCode.unreachable,
  429: ExitCode.unreachable,
  503: ExitCode.unreachable,
  507: ExitCode.inputOutput,
};

/** RFC 9457: `title` says what, `detail` says why here, `errors` says where. */
function problem(status: number, value: unknown, hints: Readonly<Record<number, string>> = {}): CliError {
  const { title, detail, errors } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const words = [title, detail].filter((word): word is string => typeof word === "string" && word !== "");
  const exitCode = statusCodes[status] ?? (status >= 500 ? ExitCode.internal : ExitCode.usage);
  const message = words.length === 0 ? `the server answered with HTTP status ${status}` : words.join(": ");
  const hint = status === 401 ? "the key is missing, wrong or revoked: pass --key-file, or pair again" : hints[status];
  return new CliError(exitCode, message, hint ?? furtherErrors(errors));
}

/** The first is in the detail already. */
function furtherErrors(errors: unknown): string | undefined {
  const list = (Array.isArray(errors) ? errors : []).slice(1).flatMap((error: unknown) => {
    if (typeof error !== "object" || error === null) return [];
    const { line, path, message } = error as Record<string, unknown>;
    if (typeof message !== "string") return [];
    const where = typeof line === "number" ? `line ${line}: ` : "";
    return [`${where}${typeof path === "string" && path !== "" ? `${path}: ` : ""}${message}`];
  });
  return list.length === 0 ? undefined : `and ${list.join("; ")}`;
}
