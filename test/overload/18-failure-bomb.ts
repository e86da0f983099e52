/** Failed authentications under ever new names, from many addresses, over MQTT and HTTP. */
import { type RequestOptions, request } from "node:https";
import { connect as connectTls } from "node:tls";
import { adminKeyOf, ask } from "../support/ask.ts";
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale } from "./row.ts";
import { closes, loopback } from "./sockets.ts";

const seriesOf = async (arena: Arena): Promise<number> =>
  (await ask(arena.server, "/metrics", { key: adminKeyOf(arena.server) })).text.split("\n").length;

/** Resolves to the status. */
function guess(arena: Arena, index: number, ca: string): Promise<number> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer k_${index.toString(36).padStart(12, "0")}.${"x".repeat(43)}` };
    const options: RequestOptions = { headers, ca, agent: false, localAddress: loopback(index % 500), family: 4 };
    const sent = request(new URL("/v1/keys", arena.server.httpUrl), options);
    sent.once("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once("error", () => resolve(0));
    sent.end();
  });
}

async function connectBadly(arena: Arena, index: number, ca: string): Promise<void> {
  const { host, port } = arena.server.mqtt;
  const options = { host, port, ca, servername: "localhost", localAddress: loopback(index % 500) };
  const socket = connectTls(options);
  socket.on("error", () => {});
  const fields = { clientId: `name-${index}`, username: `unique-${index}`, password: "wrong" };
  socket.once("secureConnect", () => socket.write(build.connect(fields)));
  await closes(socket, 10_000);
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const count = scale === "full" ? 10_000 : 150;
  const { ca } = arena.server;
  const [series, before, log] = [await seriesOf(arena), residentBytes(arena.server.pid), arena.server.stderr.length];
  const statuses = new Map<number, number>();
  await inParallel(count, 32, async (index) => {
    if (index % 2 === 0) return connectBadly(arena, index, ca);
    const status = await guess(arena, index, ca);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  });
  const failures = await arena.metric("mess_auth_failures_total");
  const events = await arena.metric("mess_audit_events_total");
  const seriesAfter = await seriesOf(arena);
  const logged = arena.server.stderr.length - log;
  const grown = residentBytes(arena.server.pid) - before;
  const refused = (statuses.get(401) ?? 0) + (statuses.get(429) ?? 0);
  return {
    load: `${count} failed authentications under ${count} names from 500 addresses, over MQTT and HTTP`,
    checks: [
      check(
        "all are refused",
        refused >= count / 2 - (statuses.get(0) ?? 0) && failures > 0,
        JSON.stringify([...statuses]),
      ),
      check(
        "no name becomes a series of metrics",
        seriesAfter <= series + 16,
        `${series} lines before, ${seriesAfter} after`,
      ),
      check("the log is bounded", logged < 200_000, `${logged} bytes`),
      check("memory stays", grown < 64 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`),
      check("the failures are counted", events >= failures / 2, `${events} audit events`),
    ],
  };
}

export const failureBomb: Row = {
  id: "18",
  title: "log and metric bomb",
  expected: "logs and audit records at a bounded rate, series of metrics by fixed names alone",
  run,
};
