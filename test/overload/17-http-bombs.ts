/** Headers without end, bodies without end, thousands of pipelined requests, and two lengths for one body. */
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { type Check, check, type Findings, type Row, type Scale } from "./row.ts";

/** Writes and gathers what comes until the end, or until time is up. */
async function talk(
  arena: Arena,
  write: (socket: TLSSocket) => Promise<void> | void,
  milliseconds = 15_000,
): Promise<string> {
  const { host, port, ca } = arena.server.webSocket;
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const made = connectTls({ host, port, ca: ca ?? "", servername: "localhost" }, () => resolve(made));
    made.once("error", reject);
  });
  let seen = "";
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    if (seen.length < 1_000_000) seen += bytes.toString("latin1");
  });
  const ended = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  await write(socket);
  await ended;
  socket.destroy();
  return seen;
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [headerBytes, chunks, pipelined] = scale === "full" ? [10_000_000, 10_000, 1_000] : [200_000, 400, 100];
  const before = residentBytes(arena.server.pid);
  const { username, password } = await arena.key("attacker-0");
  const host = `Host: localhost:${arena.server.webSocket.port}\r\n`;
  const authorized = `${host}Authorization: Bearer ${username}.${password}\r\n`;
  const post = `POST /v1/messages?topic=attack%2Fh HTTP/1.1\r\n${authorized}`;
  const checks: Check[] = [];
  const header = statusOf(
    await talk(arena, (socket) => {
      socket.write(`GET /healthz HTTP/1.1\r\n${host}X-Large: `);
      const part = Buffer.alloc(10_000, 0x61);
      for (let sent = 0; sent < headerBytes; sent += part.length) socket.write(part);
    }),
  );
  checks.push(check("a header without end: 431", header === 431, header));
  const body = statusOf(
    await talk(arena, async (socket) => {
      socket.write(`${post}Transfer-Encoding: chunked\r\n\r\n`);
      const chunk = Buffer.from(`1000\r\n${"x".repeat(4_096)}\r\n`);
      for (let index = 0; index < chunks && socket.writable; index += 1) {
        if (!socket.write(chunk)) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }),
  );
  checks.push(check("a chunked body without end: 413", body === 413, body));
  const both = statusOf(
    await talk(arena, (socket) => {
      socket.write(
        `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n${host}\r\n`,
      );
    }),
  );
  checks.push(check("two lengths for one body: 400", both === 400, both));
  const expectation = statusOf(
    await talk(
      arena,
      (socket) => {
        socket.write(`${post}Content-Length: 1\r\nExpect: the-moon\r\n\r\nx`);
      },
      3_000,
    ),
  );
  checks.push(check("an expectation that is not known: 417", expectation === 417, expectation));
  const many = await talk(
    arena,
    (socket) => {
      socket.write(`GET /healthz HTTP/1.1\r\n${host}\r\n`.repeat(pipelined));
    },
    8_000,
  );
  const answers = many.match(/^HTTP\/1\.1 200/gm)?.length ?? 0;
  checks.push(
    check("pipelined requests are answered in turn", answers > 0 && answers <= pipelined, `${answers} of ${pipelined}`),
  );
  const grown = residentBytes(arena.server.pid) - before;
  checks.push(check("memory stays", grown < 64 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`));
  return {
    load: `a header of ${headerBytes} bytes, a body of ${chunks * 4} KiB, ${pipelined} pipelined requests`,
    checks,
  };
}

export const httpBombs: Row = {
  id: "17",
  title: "HTTP bombs",
  expected: "431, 413, 400, 417; memory stays",
  smokeOptions: { limits: { httpRequestDeadlineMs: 2_000 } },
  run,
};
