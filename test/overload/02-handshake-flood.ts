/** ClientHellos that are never followed by anything. */
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Arena } from "./arena.ts";
import { check, eventually, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";
import { loopback, openSocket } from "./sockets.ts";

/** A real ClientHello, as this Node sends it. */
async function captureHello(): Promise<Buffer> {
  const { Duplex } = await import("node:stream");
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(bytes: Buffer, _encoding, done) {
        resolve(Buffer.from(bytes));
        done();
      },
    });
    const socket: TLSSocket = connectTls({ socket: wire, servername: "localhost" });
    socket.on("error", () => {});
  });
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [seconds, perSecond] = scale === "full" ? [20, 2_000] : [2, 100];
  const hello = await captureHello();
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < seconds * 1_000) {
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
    const batch = Math.min(due - sent, 200);
    await inParallel(batch, batch, async (index) => {
      const socket = await openSocket(arena.server.mqtt, loopback((sent + index) % 4_000));
      socket?.write(hello);
      socket?.resume();
    });
    sent += Math.max(batch, 0);
    if (batch <= 0) await sleep(5);
  }
  const capped = await arena.limitHits("handshakesMax");
  const gone = await eventually(async () => (await arena.limitHits("handshakeDeadlineMs")) > 0, 8_000);
  const deadlines = await arena.limitHits("handshakeDeadlineMs");
  return {
    load: `${Math.round((sent * 1_000) / (performance.now() - began))} ClientHello/s for ${seconds} s`,
    checks: [
      check("handshakes under way are capped", capped > 0, `${capped} refused`),
      check("those that stay end at the deadline", gone, `${deadlines} ended`),
    ],
  };
}

export const handshakeFlood: Row = {
  id: "02",
  title: "TLS handshake flood",
  expected: "handshakes under way are capped, each ends after 5 s",
  smokeOptions: { limits: { handshakesMax: 20, handshakeDeadlineMs: 1_000 } },
  run,
};
