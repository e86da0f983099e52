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
  readonly body?: unknown;
}

const deadlineMs = 30_000;
const answerBytesMax = 64 * 1024 * 1024;

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
    throw problem(status, value);
  }

  #exchange(request: AdministrationRequest): Promise<{ status: number; text: string }> {
    const { ca, key } = this.#target;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const url = new URL(request.path, this.#base);
    const deadline = AbortSignal.timeout(deadlineMs);
    const options: https.RequestOptions = {
      method: request.method,
      agent: false,
      signal: this.#signal === undefined ? deadline : AbortSignal.any([this.#signal, deadline]),
      headers: {
        accept: "application/json, application/problem+json",
        ...(key !== undefined && { authorization: `Bearer ${formatKey(key)}` }),
        ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      },
    };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#failure(error, deadline.aborted));
      const onAnswer = (answer: http.IncomingMessage): void => {
        collect(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), fail);
      };
      const outgoing =
        url.protocol === "https:"
          ? https.request(url, { ...options, minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) }, onAnswer)
          : http.request(url, options, onAnswer);
      outgoing.on("error", fail).end(body);
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
  429: ExitCode.unreachable,
  503: ExitCode.unreachable,
  507: ExitCode.inputOutput,
};

/** RFC 9457: `title` says what, `detail` says why here. */
function problem(status: number, value: unknown): CliError {
  const { title, detail } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const words = [title, detail].filter((word): word is string => typeof word === "string" && word !== "");
  const exitCode = statusCodes[status] ?? (status >= 500 ? ExitCode.internal : ExitCode.usage);
  const message = words.length === 0 ? `the server answered with HTTP status ${status}` : words.join(": ");
  const hint = status === 401 ? "the key is missing, wrong or revoked: pass --key-file, or pair again" : undefined;
  return new CliError(exitCode, message, hint);
}
