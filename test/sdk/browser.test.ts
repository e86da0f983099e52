/** The SDK in a browser, over WebSocket, against a real server. */
import { createServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect as connectSocket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser, chromium } from "../support/chromium.ts";
import { Server } from "../support/server.ts";
import { bundle } from "./bundle.ts";

/** Leaves what happened in `window.result`. */
const page = `
import { connect, MessError } from "@mess/client";

async function run() {
  const states = [];
  const mess = await connect("ws://" + location.host + "/mqtt", { reconnect: { min: 10, max: 50 } });
  mess.on("state", ({ name }) => states.push(name));
  const topic = mess.topic("browser/{n}");
  const reader = topic.subscribe();
  await reader.ready;
  const receipt = await topic.publish({ n: 1 }, { text: "grüße 😀" }, { headers: { a: "b" } });
  const { value: first } = await reader.next();
  const large = "x".repeat(500_000);
  await topic.publish({ n: 2 }, large);
  const { value: second } = await reader.next();
  await reader.return();
  await using responder = mess.respond("svc/browser", (value) => value * 2);
  await responder.ready;
  const reply = await mess.request("svc/browser", 21);
  const refused = await mess.request("svc/nobody", 1).catch((error) => error instanceof MessError && error.code);
  await mess.close();
  return {
    offset: typeof receipt.offset,
    durability: receipt.durability,
    value: first.value,
    params: first.params,
    headers: first.headers,
    large: second.value.length,
    reply,
    refused,
    states,
  };
}
run().then((result) => { globalThis.result = result; }, (error) => { globalThis.result = { failed: String(error && error.stack || error) }; });
`;

describe.skipIf(chromium === undefined)("the SDK in a browser", () => {
  let server: Server;
  let browser: Browser;
  let site: HttpServer;
  let url = "";

  beforeAll(async () => {
    server = await Server.start();
    browser = Browser.open();
    site = await serveSite(new URL(server.httpUrl).port);
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    await browser?.close();
    site?.closeAllConnections();
    site?.close();
    await server?.remove();
  });

  it("publishes, subscribes, asks and answers", async () => {
    await browser.goto(url);
    await browser.until("globalThis.result !== undefined");
    expect(await browser.evaluate("globalThis.result")).toEqual({
      offset: "number",
      durability: "persisted",
      value: { text: "grüße 😀" },
      params: { n: "1" },
      headers: { a: "b" },
      large: 500_000,
      reply: 42,
      refused: "NO_RESPONDER",
      states: ["closed"],
    });
  }, 60_000);
});

/** The page, and behind the same origin the broker's WebSocket: as behind any reverse proxy. */
async function serveSite(brokerPort: string): Promise<HttpServer> {
  const { code } = await bundle(page);
  const site = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? code : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  site.on("upgrade", (request, socket) => {
    const broker = connectSocket(Number(brokerPort), "127.0.0.1");
    const headers = request.rawHeaders.flatMap((name, index, all) =>
      index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : [],
    );
    broker.write([`GET ${request.url} HTTP/1.1`, ...headers, "", ""].join("\r\n"));
    broker.pipe(socket).pipe(broker);
    for (const end of [broker, socket]) end.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  return site;
}
