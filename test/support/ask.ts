/** One request to the HTTP side of a server. */
import { type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import type { Server } from "./server.ts";

export interface Question {
  readonly method?: string;
  /** `id.secret`, for `Authorization: Bearer`. */
  readonly key?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Client certificate to show, PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Where to come from, another address of this machine. */
  readonly from?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export function ask(server: Server, path: string, question: Question = {}): Promise<Reply> {
  const { method = "GET", key, body, from, certificate } = question;
  return new Promise((resolve, reject) => {
    const secure = server.mode === "secure";
    const headers = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...question.headers,
    };
    const url = new URL(path, server.httpUrl);
    const options = {
      method,
      headers,
      agent: false as const,
      timeout: 5_000,
      ...(from !== undefined && { localAddress: from }),
    };
    const sent = secure
      ? secureRequest(url, { ...options, ...certificate, ca: server.ca })
      : plainRequest(url, options);
    sent.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
      response.once("error", reject);
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer to ${method} ${path}`)));
    sent.once("error", reject);
    sent.end(question.text ?? (body === undefined ? undefined : JSON.stringify(body)));
  });
}

/** The admin key of a server as `id.secret`. */
export function adminKeyOf(server: Server): string {
  const { id, secret } = server.admin;
  return `${id}.${secret}`;
}
