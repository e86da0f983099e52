import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits, type Limits } from "../config/limits.ts";
import { Admission } from "./admission.ts";
import { managedCertificate } from "./certificates.ts";
import { Deadlines } from "./deadlines.ts";
import { countingCounters, nodeTimers, temporaryDirectory, testBox, until } from "./input.test-data.ts";
import { KeyUpdateClient } from "./key-updates.test-data.ts";
import { type Listening, listenTls } from "./listener.ts";
import { ServerTls } from "./tls.ts";
import type { AcceptTransport, Transport, TransportHandler } from "./transport.ts";

const names = ["localhost", "127.0.0.1", "::1"];
const box = testBox();
let directory: ReturnType<typeof temporaryDirectory>;
let tls: ServerTls;
let reported: string[];
let certificateNamesNow: string[];
let exceeded: string[];
const open: Listening[] = [];

beforeEach(async () => {
  directory = temporaryDirectory();
  reported = [];
  exceeded = [];
  certificateNamesNow = names;
  tls = await ServerTls.open({
    load: () => managedCertificate({ directory: directory.path, box, names: certificateNamesNow, now: Date.now() }),
    held: { heldBytesMax: 64 * 1024, exceeded: (address) => exceeded.push(address) },
    timers: nodeTimers,
    now: Date.now,
    report: (_level, message) => reported.push(message),
  });
});
afterEach(async () => {
  for (const listening of open.splice(0)) await listening.close();
  tls.close();
  directory.remove();
});

interface Setup {
  listening: Listening;
  admission: Admission;
  deadlines: Deadlines;
  hits: Map<string, number>;
  /** Bytes the protocol side was given, all connections. */
  taken: Buffer[];
}

async function setUp(change: Partial<Limits> = {}, handler?: AcceptTransport): Promise<Setup> {
  const counters = countingCounters();
  const limits = { ...defaultLimits, ...change };
  const admission = new Admission({ limits, counters, monotonic: () => performance.now(), perAddress: true });
  const deadlines = new Deadlines(nodeTimers);
  const taken: Buffer[] = [];
  const echo = (transport: Transport): TransportHandler => ({
    bytes: (buffer, start, end) => {
      taken.push(Buffer.from(buffer.subarray(start, end)));
      transport.send(Buffer.from(buffer.subarray(start, end)));
    },
    drained: () => {},
    closed: () => {},
  });
  const listening = await listenTls({
    host: "127.0.0.1",
    port: 0,
    limits,
    admission,
    deadlines,
    accept: handler ?? echo,
    tls,
  });
  open.push(listening);
  return { listening, admission, deadlines, hits: counters.hits, taken };
}

function authority(): Buffer {
  return readFileSync(join(directory.path, "ca.pem"));
}

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, ca: authority(), ...options });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

async function dialPlain(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

describe("listenTls", () => {
  it("is verified by ca.pem, speaks TLS 1.3 and carries bytes in any chunks", async () => {
    const { listening } = await setUp();
    const client = await dial(listening.port);
    expect(client.authorized).toBe(true);
    expect(client.getProtocol()).toBe("TLSv1.3");
    const sent = Buffer.alloc(400_000, "abcdefg");
    const received: Buffer[] = [];
    client.on("data", (chunk: Buffer) => received.push(chunk));
    for (let at = 0; at < sent.length; ) {
      const size = 1 + Math.floor(Math.random() * 30_000);
      client.write(sent.subarray(at, at + size));
      at += size;
    }
    await until(() => received.reduce((sum, chunk) => sum + chunk.length, 0) === sent.length);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    client.destroy();
  });

  it("is refused by a client that does not know ca.pem", async () => {
    const { listening, hits } = await setUp();
    await expect(dial(listening.port, { ca: [] })).rejects.toThrow(/unable to verify|self.signed/i);
    await expect(dial(listening.port, { servername: "other.example" })).rejects.toThrow(/does not match/);
    await until(() => listening.connections === 0);
    expect(hits.get("connections")).toBeUndefined();
  });

  it("takes TLS 1.2 with forward secrecy, and nothing below or beside", async () => {
    const { listening } = await setUp();
    const client = await dial(listening.port, { maxVersion: "TLSv1.2" });
    expect(client.getCipher().name).toMatch(/^ECDHE-ECDSA-AES128-GCM-SHA256$/);
    client.destroy();
    const old: ConnectionOptions = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
    await expect(dial(listening.port, old)).rejects.toThrow();
    await expect(dial(listening.port, { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" })).rejects.toThrow();
  });

  it("refuses renegotiation", async () => {
    const { listening, taken } = await setUp();
    const client = await dial(listening.port, { maxVersion: "TLSv1.2" });
    client.write("before");
    await until(() => taken.length === 1);
    const refused = once(client, "error");
    client.renegotiate({}, () => {});
    expect((await refused)[0]).toMatchObject({ code: "ERR_SSL_NO_RENEGOTIATION" });
    client.destroy();
  });

  it("closes plain connections without a byte of MQTT", async () => {
    const { listening, hits, taken } = await setUp();
    const client = await dialPlain(listening.port);
    const connectPacket = Buffer.from([0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 0]);
    client.write(connectPacket);
    const received: Buffer[] = [];
    client.on("data", (chunk: Buffer) => received.push(chunk));
    await once(client, "close");
    // At most one TLS alert record: content type 21.
    const answer = Buffer.concat(received);
    if (answer.length > 0) expect(answer[0]).toBe(21);
    expect(answer.length).toBeLessThanOrEqual(7);
    expect(taken).toEqual([]);
    await until(() => hits.get("handshake_failed") === 1);
  });

  it("ends handshakes at their deadline, also those that trickle", async () => {
    const { listening, admission, deadlines, hits } = await setUp({ handshakeDeadlineMs: 300 });
    const began = performance.now();
    const silent = await dialPlain(listening.port);
    const trickling = await dialPlain(listening.port);
    // A record header that announces 512 bytes, then one byte now and then.
    trickling.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252]));
    const trickle = setInterval(() => trickling.write(Buffer.from([3])), 50);
    await until(() => admission.handshakes === 2);
    await Promise.all([once(silent.resume(), "close"), once(trickling.resume(), "close")]);
    clearInterval(trickle);
    expect(performance.now() - began).toBeGreaterThan(290);
    expect(performance.now() - began).toBeLessThan(800);
    await until(() => admission.connections === 0);
    expect(admission.handshakes).toBe(0);
    expect(hits.get("handshake_deadline")).toBe(2);
    expect(hits.get("handshake_failed")).toBeUndefined();
    expect(deadlines.waiting).toBe(0);
  });

  it("does not hold an open connection to the handshake deadline", async () => {
    const { listening, taken } = await setUp({ handshakeDeadlineMs: 100 });
    const client = await dial(listening.port);
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.write("alive");
    await until(() => taken.length === 1);
    client.destroy();
  });

  it("lets the oldest handshake give way to a new one once it has had a second", async () => {
    const { listening, admission, hits } = await setUp({ handshakesMax: 1 });
    const silent = await dialPlain(listening.port);
    await until(() => admission.handshakes === 1);
    const ended = once(silent, "close");
    await expect(dial(listening.port)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const client = await dial(listening.port);
    await ended;
    await until(() => admission.handshakes === 0);
    expect(hits.get("handshakes")).toBe(2);
    client.destroy();
    await until(() => admission.connections === 0);
  });

  it("caps handshakes in flight and takes new ones when those are done", async () => {
    const { listening, admission, hits } = await setUp({ handshakesMax: 2 });
    const silent = [await dialPlain(listening.port), await dialPlain(listening.port)];
    await until(() => admission.handshakes === 2);
    await expect(dial(listening.port)).rejects.toThrow();
    expect(hits.get("handshakes")).toBe(1);
    for (const socket of silent) socket.destroy();
    await until(() => admission.handshakes === 0);
    const clients = [await dial(listening.port), await dial(listening.port), await dial(listening.port)];
    await until(() => listening.connections === 3);
    for (const client of clients) client.destroy();
    await until(() => admission.connections === 0);
  });

  it("gives back every descriptor, however connections end", async () => {
    const { listening, admission, deadlines } = await setUp();
    await dial(listening.port).then((client) => client.destroy());
    await until(() => admission.connections === 0);
    const baseline = readdirSync("/proc/self/fd").length;
    for (let round = 0; round < 4; round += 1) {
      const clients = await Promise.all(Array.from({ length: 15 }, () => dial(listening.port)));
      const plain = await Promise.all(Array.from({ length: 10 }, () => dialPlain(listening.port)));
      clients.forEach((client, index) => void (index % 2 === 0 ? client.destroy() : client.end()));
      plain.forEach((client, index) => void (index % 2 === 0 ? client.destroy() : client.write("rubbish".repeat(10))));
      await until(() => admission.connections === 0);
    }
    expect([listening.connections, admission.handshakes, deadlines.waiting]).toEqual([0, 0, 0]);
    await until(() => readdirSync("/proc/self/fd").length <= baseline);
  });

  it("drains, and gives pooled buffers back, also when the peer vanishes", async () => {
    const events: string[] = [];
    let transport: Transport | undefined;
    const { listening } = await setUp({}, (opened) => {
      transport = opened;
      return { bytes: () => {}, drained: () => events.push("drained"), closed: () => events.push("closed") };
    });
    const client = await dial(listening.port);
    await until(() => transport !== undefined);
    const send = (): void => {
      for (let round = 0; round < 10; round += 1) transport?.send(Buffer.alloc(1_000_000), () => events.push("done"));
    };
    send();
    expect(transport?.pendingBytes).toBeGreaterThan(1_000_000);
    client.resume();
    await until(() => events.includes("drained"));
    expect(transport?.pendingBytes).toBe(0);
    expect(events).toEqual([...new Array(10).fill("done"), "drained"]);
    client.pause();
    send();
    client.destroy();
    await until(() => events.includes("closed"));
    expect(events.slice(11)).toEqual([...new Array(10).fill("done"), "closed"]);
  });

  it("ends a connection whose TLS answers pile up unread, and no other (LESSONS 39)", async () => {
    const { listening, admission } = await setUp();
    const [flood, reader] = [
      await KeyUpdateClient.open(listening.port, authority()),
      await KeyUpdateClient.open(listening.port, authority()),
    ];
    reader.read();
    const bystander = await dial(listening.port);
    // The kernel takes some megabytes of answers before they stay with us.
    for (let round = 0; round < 200 && !flood.isClosed; round += 1) {
      await Promise.all([flood.send(2_000), reader.send(1)]);
    }
    await until(() => flood.isClosed);
    expect(exceeded).toEqual(["127.0.0.1"]);
    const echoed = once(bystander, "data");
    bystander.write("still here");
    expect(String((await echoed)[0])).toBe("still here");
    expect([reader.isClosed, admission.connections]).toEqual([false, 2]);
    reader.close();
    bystander.destroy();
  });

  it("reloads one at a time", async () => {
    await setUp();
    certificateNamesNow = [...names, "new.example"];
    await Promise.all([tls.reload(), tls.reload(), tls.reload()]);
    expect(reported.filter((message) => message.includes("names have changed"))).toHaveLength(1);
  });

  it("exchanges the certificate without closing what is open", async () => {
    const { listening } = await setUp();
    const before = await dial(listening.port);
    const echoed = once(before, "data");
    certificateNamesNow = [...names, "new.example"];
    await tls.reload();
    const after = await dial(listening.port, { servername: "new.example" });
    expect(after.getPeerCertificate().subjectaltname).toContain("new.example");
    expect(before.getPeerCertificate().subjectaltname).not.toContain("new.example");
    before.write("still here");
    expect(String((await echoed)[0])).toBe("still here");
    expect(reported.at(-1)).toMatch(/names have changed/);
    before.destroy();
    after.destroy();
  });

  it("keeps the old certificate when the new one cannot be loaded", async () => {
    const { listening } = await setUp();
    const ca = authority();
    rmSync(join(directory.path, "ca.key.sealed"));
    await expect(tls.reload()).rejects.toThrow(/ca\.key\.sealed is missing/);
    const client = await dial(listening.port, { ca });
    expect(client.authorized).toBe(true);
    client.destroy();
  });

  it("close ends open connections and handshakes", async () => {
    const { listening, admission } = await setUp();
    const client = await dial(listening.port);
    const silent = await dialPlain(listening.port);
    await until(() => admission.connections === 2);
    const closed = Promise.all([once(client.resume(), "close"), once(silent.resume(), "close")]);
    await listening.close();
    await closed;
    await until(() => admission.connections === 0);
    expect(admission.handshakes).toBe(0);
  });
});
