/** One byte a second: of a CONNECT, of an HTTP request's header, of its body, and of a PUBLISH after CONNECT. */
import { connect as connectTls, type TLSSocket } from "node:tls";
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { type Check, check, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";
import { closes, loopback } from "./sockets.ts";

function openTls(arena: Arena, port: number, index: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, localAddress: loopback(index), servername: "localhost" };
    const socket = connectTls({ ...options, ca: arena.server.ca }, () => {
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Again when the door was full: what is looked at here begins behind it. */
async function openAgain(arena: Arena, port: number, index: number): Promise<TLSSocket> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await openTls(arena, port, index);
    } catch (error) {
      if (tries >= 20) throw error;
      await sleep(200);
    }
  }
}

/** Writes the bytes one a second until the server closes. Seconds it took, or undefined when it was still open at the end. */
async function trickle(socket: TLSSocket, bytes: Buffer, secondsMax: number): Promise<number | undefined> {
  const began = performance.now();
  let at = 0;
  const timer = setInterval(() => {
    if (socket.writable && at < bytes.length) socket.write(bytes.subarray(at, ++at));
  }, 1_000);
  const closed = await closes(socket, secondsMax * 1_000);
  clearInterval(timer);
  socket.destroy();
  return closed ? (performance.now() - began) / 1_000 : undefined;
}

interface Kind {
  readonly what: string;
  readonly deadlineSeconds: number;
  open(index: number): Promise<{ socket: TLSSocket; rest: Buffer }>;
}

async function kindsOf(arena: Arena, scale: Scale): Promise<Kind[]> {
  const connect = build.connect({ clientId: "slow", username: "somebody", password: "something" });
  const httpPort = arena.server.webSocket.port;
  const { username, password } = await arena.key("attacker-0");
  const authorization = `Authorization: Bearer ${username}.${password}\r\n`;
  const head = `POST /v1/topics/attack/messages HTTP/1.1\r\nHost: localhost:${httpPort}\r\n${authorization}`;
  const before = (port: number, whole: Buffer, rest: Buffer) => async (index: number) => {
    const socket = await openAgain(arena, port, index);
    if (whole.length > 0) socket.write(whole);
    return { socket, rest };
  };
  const none = Buffer.alloc(0);
  const [connectSeconds, httpSeconds] = scale === "full" ? [5, 10] : [1, 1];
  const kinds = [
    { what: "CONNECT", deadlineSeconds: connectSeconds, open: before(arena.server.mqtt.port, none, connect) },
    {
      what: "HTTP header",
      deadlineSeconds: httpSeconds,
      open: before(httpPort, none, Buffer.from(`${head}X-Slow: ${"x".repeat(500)}`)),
    },
    {
      what: "HTTP body",
      deadlineSeconds: httpSeconds,
      open: before(httpPort, Buffer.from(`${head}Content-Length: 500\r\n\r\n`), Buffer.alloc(500, 0x61)),
    },
  ];
  return scale === "full" ? [...kinds, { what: "PUBLISH", deadlineSeconds: 30, open: slowPublish(arena) }] : kinds;
}

function slowPublish(arena: Arena): Kind["open"] {
  return async (index) => {
    const credentials = await arena.key(`attacker-${index % 4}`);
    const socket = await openAgain(arena, arena.server.mqtt.port, index);
    socket.write(build.connect({ clientId: `slow-${index}`, keepAlive: 600, ...credentials }));
    return { socket, rest: build.publish({ topic: "attack/slow", payload: "x".repeat(5_000), qos: 1, id: 1 }) };
  };
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const each = scale === "full" ? 250 : 10;
  // A sweep every half second, the deadlines of HTTP every second, and a busy machine.
  const slackSeconds = 4;
  const checks: Check[] = [];
  const kinds = await kindsOf(arena, scale);
  await Promise.all(
    kinds.map(async ({ what, deadlineSeconds, open }, kind) => {
      const times: (number | undefined)[] = [];
      await inParallel(each, each, async (index) => {
        await sleep((index % 50) * 20);
        const { socket, rest } = await open(kind * each + index);
        times.push(await trickle(socket, rest, deadlineSeconds + slackSeconds + 4));
      });
      const late = times.filter((time) => time === undefined || time > deadlineSeconds + slackSeconds).length;
      const early = times.filter((time) => time !== undefined && time < deadlineSeconds - 1).length;
      const longest = Math.max(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
      const seen = `${late} late, ${early} early, longest ${longest.toFixed(1)} s`;
      checks.push(check(`slow ${what} ends after ${deadlineSeconds} s`, late === 0 && early === 0, seen));
    }),
  );
  return { load: `${each} each of slow ${kinds.map(({ what }) => what).join(", ")}`, checks };
}

export const slowloris: Row = {
  id: "03",
  title: "slowloris",
  expected: "CONNECT 5 s, HTTP 10 s, a started packet 30 s, then closed",
  smokeOptions: { limits: { connectDeadlineMs: 1_000, httpRequestDeadlineMs: 1_000 } },
  run,
};
