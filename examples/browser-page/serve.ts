// Serves the page, and passes on what the page asks of mess: so both are of one origin, and no other site gets through.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request as requestPlain, type ServerResponse } from "node:http";
import { request as requestSecure } from "node:https";
import { connect as connectPlain } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectSecure } from "node:tls";
import { fileURLToPath } from "node:url";

const { MESS_HTTP_URL = "https://localhost:8443", MESS_CA, MESS_KEY = "", PORT = "3000" } = process.env;
const mess = new URL(MESS_HTTP_URL);
const ca = MESS_CA === undefined ? {} : { ca: readFileSync(MESS_CA) };

const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css" };

/** The page, and the modules of the client: they run in a browser as they are. */
const folders: readonly (readonly [prefix: string, folder: string])[] = [
  ["/client/", "../../packages/client/dist/"],
  ["/wire/", "../../packages/wire/dist/"],
  ["/", "./page/"],
];

async function serveFile(path: string, response: ServerResponse): Promise<void> {
  const [prefix = "/", folder = ""] = folders.find(([start]) => path.startsWith(start)) ?? [];
  const name = path === "/" ? "index.html" : path.slice(prefix.length);
  const type = types[name.split(".").at(-1) ?? ""];
  // Names alone: nothing that climbs out of the folder.
  if (type === undefined || !/^[\w/.-]+$/.test(name) || name.includes("..")) throw new Error("no such file");
  const bytes = await readFile(fileURLToPath(new URL(folder + name, import.meta.url)));
  response.writeHead(200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" }).end(bytes);
}

/** The board as server-sent events. EventSource cannot show a key: it is added here. */
function passEvents(incoming: IncomingMessage, response: ServerResponse): void {
  const last = incoming.headers["last-event-id"];
  const headers = {
    accept: "text/event-stream",
    authorization: `Bearer ${MESS_KEY}`,
    ...(last !== undefined && { "last-event-id": last }),
  };
  const request = mess.protocol === "https:" ? requestSecure : requestPlain;
  const asked = request(new URL("/v1/events?filter=board/%2B&from=earliest", mess), { headers, ...ca }, (answer) => {
    // EventSource gives up for good at an answer it does not like; a connection that breaks it tries again.
    if (answer.statusCode !== 200) return void response.destroy();
    response.writeHead(200, { "content-type": answer.headers["content-type"] ?? "text/plain" });
    answer.pipe(response);
  });
  asked.on("error", () => response.destroy());
  response.on("close", () => asked.destroy());
  asked.end();
}

/** MQTT over WebSocket: bytes both ways. mess takes pages of its own origin, so the page is shown as one. */
function passWebSocket(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
  const port = Number(mess.port);
  const to = { host: mess.hostname, port, servername: mess.hostname, ...ca };
  const other = mess.protocol === "https:" ? connectSecure(to) : connectPlain(to);
  const headers = { ...incoming.headers, host: mess.host, origin: mess.origin };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  other.write(`GET /mqtt HTTP/1.1\r\n${lines.join("")}\r\n`);
  other.write(head);
  socket.pipe(other).pipe(socket);
  for (const end of [socket, other]) end.on("error", () => (end === socket ? other.destroy() : socket.destroy()));
}

const server = createServer((incoming, response) => {
  const path = incoming.url ?? "/";
  if (path === "/events") return passEvents(incoming, response);
  // Whoever sees the page has this key: its role may read and write the board, and nothing else (policy.toml).
  if (path === "/key") return void response.writeHead(200, { "content-type": "text/plain" }).end(MESS_KEY);
  serveFile(path, response).catch(() => response.writeHead(404).end());
});
server.on("upgrade", (incoming, socket, head) => {
  if (incoming.url === "/mqtt") passWebSocket(incoming, socket, head);
  else socket.destroy();
});
server.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address();
  console.log(`the board is at http://localhost:${typeof address === "object" ? address?.port : PORT}/`);
});
