import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { rawHttp, upgradeRequest } from "./support/raw-http.ts";

/** Every header that an answer must bear, and what it must hold. */
const headers: readonly (readonly [string, RegExp])[] = [
  ["cache-control", /no-store/],
  ["x-content-type-options", /nosniff/],
  ["referrer-policy", /no-referrer/],
  ["cross-origin-resource-policy", /same-origin/],
  ["content-security-policy", /default-src 'none'/],
];

const markup = '<img src=x onerror="alert(1)"><script>alert(1)</script>';

export const e07 = attack({
  id: "E7",
  title: "Pages in a browser",
  threat:
    "A name that a client chose becomes markup; another site frames a page, reads an answer, or rides on a session.",
  mitigation:
    "No cookies, so nothing to ride on; every answer forbids scripts, frames, sniffing and caching; other origins are refused.",
  ways: ["https", "websocket-tls"],
  steps: [
    {
      name: "headers of every kind of answer, and no cookie",
      run: answers,
      elsewhere: hasNone("has no pages by default"),
    },
    {
      name: "markup in names, shown by pages and answers",
      run: markupInNames,
      elsewhere: hasNone("has no pages by default"),
    },
    {
      name: "another site opens the WebSocket, or sends a form",
      run: otherSite,
      elsewhere: hasNone("has no pages by default"),
    },
  ],
});

async function answers(arena: Arena): Promise<void> {
  const who = await arena.principal("everything");
  for (const path of ["/", "/docs", "/openapi.json", "/livez", "/v1/whoami", "/v1/none", "/metrics", "/mqtt", "/%00"]) {
    const { status, headers: told, text } = await arena.ask(who, path);
    for (const [name, wanted] of headers) {
      hold(wanted.test(String(told[name] ?? "")), `${path} (${status}): ${name} is ${String(told[name])}`);
    }
    hold(told["set-cookie"] === undefined, `${path} sets a cookie`);
    hold(told["access-control-allow-origin"] === undefined, `${path} lets other origins read it`);
    hold(!/<script/i.test(text), `${path} has a script`);
    hold(/frame-ancestors 'none'/.test(String(told["content-security-policy"])), `${path} can be framed`);
  }
}

async function markupInNames(arena: Arena): Promise<void> {
  const who = await arena.principal("everything");
  const encoded = encodeURIComponent(markup);
  const paths = [
    `/${encoded}`,
    `/v1/${encoded}`,
    `/v1/subscriptions/${encoded}`,
    `/v1/topics/${encoded}`,
    `/docs?q=${encoded}`,
    `/v1/messages?filter=${encoded}`,
    `/v1/why?principal=${encoded}&action=publish&topic=${encoded}`,
  ];
  for (const path of paths) {
    const { headers: told, text } = await arena.ask(who, path);
    const type = String(told["content-type"] ?? "");
    hold(!text.includes(markup) || /json/.test(type), `${path} shows markup as ${type}`);
  }
}

async function otherSite(arena: Arena): Promise<void> {
  const { host } = new URL(arena.server.httpUrl);
  const owner = await arena.principal("everything");
  for (const origin of ["https://evil.example", "null", `https://${host}.evil.example`, `http://${host}`]) {
    const upgraded = await rawHttp(arena, upgradeRequest(host, `Origin: ${origin}`));
    hold(upgraded.status === 403, `a WebSocket from ${origin} is answered ${upgraded.status}`);
    for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
      const question = { method: "POST", body: "x", headers: { origin, "content-type": type } };
      const { status } = await arena.ask(owner, "/v1/messages?topic=a", question);
      hold(status === 403, `a form (${type}) from ${origin} is answered ${status}`);
    }
  }
}
