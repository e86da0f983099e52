import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { managedCertificate } from "../../certificates.ts";
import { nodeTimers, temporaryDirectory, testBox, until } from "../../input.test-data.ts";
import { ServerTls } from "../../tls.ts";
import type { Transport, TransportHandler } from "../../transport.ts";
import { ask, type Door, type DoorOptions, openDoor } from "./http.test-data.ts";

let door: Door | undefined;
let transports: Transport[];
let taken: Buffer[];
let closed: string[];
let drained: number;
let onBytes: (transport: Transport) => void;

beforeEach(() => {
  [transports, taken, closed, drained] = [[], [], [], 0];
  onBytes = () => {};
});
afterEach(async () => {
  await door?.listening.close();
  door = undefined;
});

function accept(transport: Transport): TransportHandler {
  transports.push(transport);
  return {
    bytes: (buffer, start, end) => {
      taken.push(Buffer.from(buffer.subarray(start, end)));
      onBytes(transport);
    },
    drained: () => (drained += 1),
    closed: (reason) => closed.push(reason),
  };
}

async function open(options: DoorOptions = {}): Promise<Door> {
  door = await openDoor({ ...options, upgrade: accept });
  return door;
}

interface DialOptions {
  path?: string;
  protocols?: string[];
  headers?: Record<string, string>;
}

function client({ path = "/mqtt", protocols = ["mqtt"], headers = {} }: DialOptions = {}): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${door?.listening.port}${path}`, protocols, { headers });
}

async function dial(options: DialOptions = {}): Promise<WebSocket> {
  const socket = client(options);
  await once(socket, "open");
  return socket;
}

/** The status with which an upgrade is refused. */
async function refusal(options: DialOptions): Promise<number> {
  const socket = client(options);
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

function takenBytes(): Buffer {
  return Buffer.concat(taken);
}

describe("MQTT over WebSocket", () => {
  it("is served over TLS under ca.pem, with the sub-protocol mqtt", async () => {
    const directory = temporaryDirectory();
    const box = testBox();
    const names = ["localhost", "127.0.0.1"];
    const load = (): ReturnType<typeof managedCertificate> =>
      managedCertificate({ directory: directory.path, box, names, now: Date.now() });
    const tls = await ServerTls.open({ load, now: Date.now, timers: nodeTimers, report: () => {} });
    const { listening, admission } = await open({ tls });
    const ca = readFileSync(join(directory.path, "ca.pem"));
    expect(await ask(door as Door, "/livez", { ca })).toMatchObject({ status: 200 });
    onBytes = (transport) => transport.send(Buffer.from("answer"));
    const socket = new WebSocket(`wss://localhost:${listening.port}/mqtt`, ["mqtt"], { ca });
    await once(socket, "open");
    expect(socket.protocol).toBe("mqtt");
    expect(socket.extensions).toBe("");
    socket.send(Buffer.from("hello"));
    const [answer, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
    expect([String(answer), isBinary]).toEqual(["answer", true]);
    expect(transports[0]?.peer).toEqual({ address: "127.0.0.1", kind: "websocket-tls" });
    const raw = connectTls({ host: "127.0.0.1", port: listening.port, ca, ALPNProtocols: ["h2", "http/1.1"] });
    await once(raw, "secureConnect");
    expect(raw.alpnProtocol).toBe("http/1.1");
    raw.destroy();
    socket.close();
    await once(socket, "close");
    await until(() => admission.connections === 0);
    tls.close();
    directory.remove();
  });

  it("joins frames, fragments and pieces of packets to one stream", async () => {
    await open();
    const socket = await dial();
    const sent = Buffer.alloc(200_000);
    for (let at = 0; at < sent.length; at += 1) sent[at] = (at * 7 + (at >> 9)) & 0xff;
    for (let at = 0; at < sent.length; ) {
      const size = Math.floor(Math.random() * 9_000);
      socket.send(sent.subarray(at, at + size), { fin: Math.random() < 0.7 || at + size >= sent.length });
      at += size;
    }
    await until(() => takenBytes().length === sent.length);
    expect(takenBytes().equals(sent)).toBe(true);
    socket.terminate();
    await until(() => closed.length === 1);
  });

  it.each([
    ["no sub-protocol", { protocols: [] }, 400],
    ["another sub-protocol", { protocols: ["mqttv3.1"] }, 400],
    ["another path", { path: "/" }, 404],
    ["a path of the API", { path: "/v1/keys" }, 404],
    ["a longer path", { path: "/mqtt/" }, 404],
    ["a foreign Origin", { headers: { Origin: "https://evil.example" } }, 403],
    ["the Origin null", { headers: { Origin: "null" } }, 403],
    ["a foreign Host", { headers: { Host: "evil.example" } }, 421],
  ])("refuses %s before the upgrade", async (_, options, status) => {
    await open();
    expect(await refusal(options)).toBe(status);
    expect(transports).toHaveLength(0);
    await until(() => door?.admission.connections === 0);
  });

  it("takes the own Origin, and mqtt among other sub-protocols", async () => {
    const { listening } = await open();
    const origin = `http://127.0.0.1:${listening.port}`;
    const socket = await dial({ headers: { Origin: origin }, protocols: ["other", "mqtt"] });
    expect(socket.protocol).toBe("mqtt");
    socket.terminate();
  });

  it("tells a plain GET to upgrade", async () => {
    const reply = await ask(await open(), "/mqtt");
    expect(reply).toMatchObject({ status: 426, json: { type: "urn:mess:problem:upgrade-required" } });
    expect(reply.headers.upgrade).toBe("websocket");
    expect((await ask(door as Door, "/mqtt", { method: "POST" })).status).toBe(405);
    const wrong = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-protocol": "mqtt" };
    expect((await ask(door as Door, "/mqtt", { headers: { ...wrong, "sec-websocket-version": "1" } })).status).toBe(
      400,
    );
    expect((await ask(door as Door, "/mqtt", { headers: { ...wrong, upgrade: "h2c" } })).status).toBe(400);
  });

  it("closes on a text frame and hands nothing of it over", async () => {
    await open();
    const socket = await dial();
    socket.send("text");
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1_003);
    await until(() => closed.length === 1);
    expect(closed).toEqual(["text frame"]);
    expect(taken).toEqual([]);
  });

  it("closes on a frame larger than any packet", async () => {
    await open({ limits: { packetBytesMax: 1_000, connectPacketBytesMax: 1_000_000 } });
    const socket = await dial();
    socket.on("error", () => {});
    socket.send(Buffer.alloc(1_000 + 64 * 1_024));
    await until(() => takenBytes().length > 0);
    socket.send(Buffer.alloc(1_001 + 64 * 1_024));
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1_009);
    await until(() => closed.length === 1);
  });

  it("offers no compression", async () => {
    const { listening } = await open();
    const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/mqtt`, ["mqtt"], { perMessageDeflate: true });
    await once(socket, "open");
    expect(socket.extensions).toBe("");
    socket.terminate();
  });

  it("holds little for a client that was not let in, answered or not", async () => {
    await open({ limits: { connectPacketBytesMax: 10_000 } });
    const socket = await dial();
    socket.on("error", () => {});
    socket.send(Buffer.alloc(900_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(taken).toEqual([]);
    // A question about who it is, for one.
    transports[0]?.send(Buffer.from("x"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(taken).toEqual([]);
    transports[0]?.letIn?.();
    await until(() => takenBytes().length === 900_000);
    socket.terminate();
  });

  it("does not hold up small frames before the client is let in, however many", async () => {
    await open({ limits: { connectPacketBytesMax: 1_000 } });
    const socket = await dial();
    for (let round = 0; round < 1_000; round += 1) socket.send(Buffer.alloc(200));
    await until(() => takenBytes().length === 200_000);
    socket.terminate();
  });

  it("reports pending bytes, drains once, gives every buffer back", async () => {
    await open();
    const socket = await dial();
    await until(() => transports.length === 1);
    const transport = transports[0] as Transport;
    socket.pause();
    let done = 0;
    for (let round = 0; round < 20; round += 1) transport.send(Buffer.alloc(1_000_000), () => (done += 1));
    expect(transport.pendingBytes).toBeGreaterThan(1_000_000);
    let received = 0;
    socket.on("message", (data: Buffer) => (received += data.length));
    socket.resume();
    await until(() => received === 20_000_000 && done === 20);
    expect(transport.pendingBytes).toBe(0);
    expect(drained).toBe(1);
    socket.pause();
    for (let round = 0; round < 20; round += 1) transport.send(Buffer.alloc(1_000_000), () => (done += 1));
    socket.terminate();
    await until(() => closed.length === 1);
    expect(done).toBe(40);
  });

  it("stops reading while paused", async () => {
    await open({ limits: { connectPacketBytesMax: 1_000_000 } });
    onBytes = (transport) => transport.pause();
    const socket = await dial();
    for (let round = 0; round < 300; round += 1) socket.send(Buffer.alloc(100_000));
    await until(() => takenBytes().length > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const held = takenBytes().length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(takenBytes().length).toBe(held);
    expect(held).toBeLessThan(1_000_000);
    onBytes = () => {};
    transports[0]?.resume();
    await until(() => takenBytes().length === 30_000_000);
    socket.terminate();
  });

  it("end delivers what was sent and closes with 1000", async () => {
    await open();
    onBytes = (transport) => {
      transport.send(Buffer.alloc(300_000));
      transport.end();
    };
    const socket = await dial();
    let received = 0;
    socket.on("message", (data: Buffer) => (received += data.length));
    socket.send(Buffer.from("x"));
    const [code] = (await once(socket, "close")) as [number];
    expect([code, received]).toEqual([1_000, 300_000]);
    await until(() => closed.length === 1);
    expect(closed).toEqual(["ended by the broker"]);
  });

  it("end gives up after a second on a peer that does not answer", async () => {
    await open();
    onBytes = (transport) => transport.end();
    const socket = await dial();
    socket.pause();
    const began = performance.now();
    socket.send(Buffer.from("x"));
    await until(() => closed.length === 1);
    expect(performance.now() - began).toBeLessThan(1_500);
    socket.terminate();
  });

  it("gives back every place, however connections end", async () => {
    const { admission } = await open();
    for (let round = 0; round < 5; round += 1) {
      const sockets = await Promise.all(Array.from({ length: 30 }, () => dial()));
      sockets.forEach((socket, index) => void (index % 2 === 0 ? socket.terminate() : socket.close()));
      await until(() => admission.connections === 0);
    }
    expect(closed).toHaveLength(150);
  });
});
