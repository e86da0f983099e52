/** A small HTTP side for commands under test: it keeps what was asked, and answers what the test says. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { runMess, type TestIoOptions, type TestRun } from "./test-io.test-data.ts";

export interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  /** JSON as a value, NDJSON as its text. */
  readonly body: unknown;
}

export interface FakeAnswer {
  readonly status?: number;
  /** A text or bytes go out as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the connection after so many bytes of the body. */
  readonly cutAt?: number;
  /** Never ends the answer. */
  readonly hold?: boolean;
}

export class FakeHttp {
  readonly seen: Seen[] = [];
  answer: (request: Seen) => FakeAnswer = () => ({ status: 204 });
  url = "";
  readonly #server: http.Server;

  constructor() {
    this.#server = http.createServer((request, response) => void this.#take(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Runs a command against it. */
  mess(words: readonly string[], options: Partial<TestIoOptions> = {}): Promise<TestRun> {
    const env = { MESS_URL: "mqtts://127.0.0.1:1", MESS_HTTP_URL: this.url, MESS_KEY: "k_1.hidden", ...options.env };
    return runMess(words, { cwd: "/nonexistent", ...options, env });
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const { method, url, headers } = request;
    const isJson = headers["content-type"] === "application/json";
    const body = text === "" ? undefined : isJson ? (JSON.parse(text) as unknown) : text;
    const one = { method, url, authorization: headers.authorization, body };
    this.seen.push(one);
    const answer = this.answer(one);
    response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
    const raw = typeof answer.body === "string" || answer.body instanceof Uint8Array;
    const bytes = raw ? Buffer.from(answer.body as string) : Buffer.from(JSON.stringify(answer.body) ?? "");
    if (answer.hold === true) return void response.write(bytes);
    if (answer.cutAt === undefined) return void response.end(bytes);
    response.write(bytes.subarray(0, answer.cutAt), () => response.socket?.destroy());
  }
}
