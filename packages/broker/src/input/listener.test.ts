import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { defaultLimits, type Limits } from "../config/limits.ts";
import { Admission } from "./admission.ts";
import { Deadlines } from "./deadlines.ts";
import { countingCounters, nodeTimers, until } from "./input.test-data.ts";
import { type Listening, listenTcp } from "./listener.ts";
import type { Transport, TransportHandler } from "./transport.ts";

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
const open: Listening[] = [];
afterEach(async () => {
  for (const listening of open.splice(0)) await listening.close();
});

interface Setup {
  listening: Listening;
  admission: Admission;
  deadlines: Deadlines;
  hits: Map<string, number>;
}

async function setUp(
  handler: (transport: Transport) => TransportHandler,
  limits: Partial<Limits> = {},
): Promise<Setup> {
  const counters = countingCounters();
  const admission = new Admission({
    limits: { ...defaultLimits, ...limits },
    counters,
    monotonic: () => performance.now(),
    perAddress: true,
  });
  const deadlines = new Deadlines(nodeTimers);
  const all = { ...defaultLimits, ...limits };
  const listening = await listenTcp({ host: "127.0.0.1", port: 0, limits: all, admission, deadlines, accept: handler });
  open.push(listening);
  return { listening, admission, deadlines, hits: counters.hits };
}

function echo(transport: Transport): TransportHandler {
  return {
    bytes: (buffer, start, end) => transport.send(Buffer.from(buffer.subarray(start, end))),
    drained: () => {},
    closed: () => {},
  };
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("listenTcp", () => {
  it("carries bytes both ways, whatever the chunks", async () => {
    const { listening } = await setUp(echo);
    const client = await dial(listening.port);
    const sent = Buffer.alloc(1_000_000);
    for (let at = 0; at < sent.length; at += 1) sent[at] = (at * 31 + (at >> 8)) & 0xff;
    const received: Buffer[] = [];
    let length = 0;
    client.on("data", (chunk: Buffer) => {
      received.push(chunk);
      length += chunk.length;
    });
    let at = 0;
    while (at < sent.length) {
      const size = 1 + Math.floor(Math.random() * 20_000);
      client.write(sent.subarray(at, at + size));
      at += size;
      if (Math.random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => length === sent.length);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    client.destroy();
  });

  it("does not mix the bytes of connections that share the read buffer", async () => {
    const { listening } = await setUp(echo);
    const clients = await Promise.all(Array.from({ length: 20 }, () => dial(listening.port)));
    const lengths = clients.map(() => 0);
    let foreign = 0;
    clients.forEach((client, index) => {
      client.on("data", (chunk: Buffer) => {
        lengths[index] = (lengths[index] as number) + chunk.length;
        for (const byte of chunk) if (byte !== index) foreign += 1;
      });
      for (let round = 0; round < 10; round += 1) client.write(Buffer.alloc(5_000, index));
    });
    await until(() => lengths.every((length) => length === 50_000));
    expect(foreign).toBe(0);
    for (const client of clients) client.destroy();
  });

  it("gives back every descriptor and every place after 1,000 connections", async () => {
    let closed = 0;
    const { listening, admission, deadlines } = await setUp(() => ({
      bytes: () => {},
      drained: () => {},
      closed: () => (closed += 1),
    }));
    const baseline = descriptors();
    for (let round = 0; round < 10; round += 1) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => dial(listening.port)));
      await until(() => listening.connections === 100);
      clients.forEach((client, index) => {
        if (index % 3 === 0) client.destroy();
        else if (index % 3 === 1) client.resetAndDestroy();
        else client.end(() => client.resume());
      });
      await until(() => listening.connections === 0);
    }
    expect(closed).toBe(1_000);
    expect(admission.connections).toBe(0);
    expect(deadlines.waiting).toBe(0);
    await until(() => descriptors() <= baseline);
  });

  it("reports pending bytes, drains once, and calls every done", async () => {
    let drained = 0;
    let done = 0;
    let transport: Transport | undefined;
    const { listening } = await setUp((opened) => {
      transport = opened;
      return { bytes: () => {}, drained: () => (drained += 1), closed: () => {} };
    });
    const client = await dial(listening.port);
    client.pause();
    await until(() => transport !== undefined);
    const server = transport as Transport;
    server.send(Buffer.from("small"), () => (done += 1));
    expect(server.pendingBytes).toBe(0);
    await until(() => done === 1);
    // The kernel took it at once: there is nothing to tell.
    expect(drained).toBe(0);
    for (let round = 0; round < 20; round += 1) server.send(Buffer.alloc(1_000_000), () => (done += 1));
    expect(server.pendingBytes).toBeGreaterThan(1_000_000);
    let received = 0;
    client.on("data", (chunk: Buffer) => (received += chunk.length));
    client.resume();
    await until(() => received === 20_000_005);
    await until(() => done === 21);
    expect(drained).toBe(1);
    expect(server.pendingBytes).toBe(0);
    client.destroy();
  });

  it("gives pooled buffers back when the peer vanishes with bytes in flight, before closed", async () => {
    const events: string[] = [];
    let transport: Transport | undefined;
    const { listening } = await setUp((opened) => {
      transport = opened;
      return { bytes: () => {}, drained: () => events.push("drained"), closed: () => events.push("closed") };
    });
    const client = await dial(listening.port);
    client.pause();
    await until(() => transport !== undefined);
    for (let round = 0; round < 10; round += 1) transport?.send(Buffer.alloc(1_000_000), () => events.push("done"));
    client.resetAndDestroy();
    await until(() => events.includes("closed"));
    expect(events).toEqual([...new Array(10).fill("done"), "closed"]);
    await new Promise<void>((resolve) => transport?.send(Buffer.from("late"), resolve));
  });

  it("stops reading while paused", async () => {
    let received = 0;
    let transport: Transport | undefined;
    const { listening } = await setUp((opened) => {
      transport = opened;
      return {
        bytes: (_buffer, start, end) => {
          received += end - start;
          opened.pause();
        },
        drained: () => {},
        closed: () => {},
      };
    });
    const client = await dial(listening.port);
    const size = 20_000_000;
    client.write(Buffer.alloc(size));
    await until(() => received > 0);
    const first = received;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(received).toBe(first);
    expect(received).toBeLessThanOrEqual(256 * 1024);
    while (received < size) {
      transport?.resume();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBe(size);
    client.destroy();
  });

  it("end delivers what was sent, even with unread bytes waiting, then closes", async () => {
    let closed = "";
    const { listening } = await setUp((transport) => ({
      bytes: () => {
        transport.send(Buffer.alloc(300_000, 7));
        transport.end();
      },
      drained: () => {},
      closed: (reason) => (closed = reason),
    }));
    const client = await dial(listening.port);
    client.write(Buffer.alloc(3_000_000));
    let received = 0;
    client.on("data", (chunk: Buffer) => (received += chunk.length));
    await once(client, "end");
    expect(received).toBe(300_000);
    client.end();
    await until(() => closed !== "");
    expect(closed).toBe("ended by the broker");
  });

  it("end gives up on a peer that does not read after a second", async () => {
    let closed = 0;
    let began = 0;
    const { listening, deadlines } = await setUp((transport) => ({
      bytes: () => {
        transport.send(Buffer.alloc(20_000_000));
        transport.end();
        began = performance.now();
      },
      drained: () => {},
      closed: () => (closed = performance.now()),
    }));
    const client = await dial(listening.port);
    client.pause();
    client.write("x");
    await until(() => closed > 0);
    expect(closed - began).toBeGreaterThan(990);
    expect(closed - began).toBeLessThan(1_500);
    expect(deadlines.waiting).toBe(0);
    client.destroy();
  });

  it("closes its side when the peer closes its own", async () => {
    let closed = "";
    const { listening } = await setUp(() => ({
      bytes: () => {},
      drained: () => {},
      closed: (reason) => (closed = reason),
    }));
    const client = await dial(listening.port);
    client.resume();
    client.end();
    await until(() => closed !== "");
    expect(closed).toBe("closed by the peer");
  });

  it("closes what is over the cap at once and serves the others", async () => {
    const { listening, hits } = await setUp(echo, { connectionsMax: 3 });
    const kept = await Promise.all([dial(listening.port), dial(listening.port), dial(listening.port)]);
    await until(() => listening.connections === 3);
    const refused = await dial(listening.port);
    refused.resume();
    await once(refused, "end");
    expect(hits.get("connections")).toBe(1);
    kept[0]?.write("hello");
    expect(String((await once(kept[0] as Socket, "data"))[0])).toBe("hello");
    kept[1]?.destroy();
    await until(() => listening.connections === 2);
    const late = await dial(listening.port);
    late.write("again");
    expect(String((await once(late, "data"))[0])).toBe("again");
    for (const client of [...kept, late]) client.destroy();
  });

  it("stopAccepting keeps what is open; close ends it", async () => {
    const { listening } = await setUp(echo);
    const client = await dial(listening.port);
    await until(() => listening.connections === 1);
    listening.stopAccepting();
    client.write("still");
    expect(String((await once(client, "data"))[0])).toBe("still");
    const late = connect({ host: "127.0.0.1", port: listening.port });
    const [error] = await once(late, "error");
    expect((error as { code: string }).code).toBe("ECONNREFUSED");
    client.resume();
    const ended = once(client, "close");
    client.on("end", () => client.end());
    await listening.close();
    expect(listening.connections).toBe(0);
    await ended;
  });

  it.skipIf(!hasIPv6)("calls an IPv4 peer of an IPv6 listener by its IPv4 address", async () => {
    const addresses: string[] = [];
    const { admission, deadlines } = await setUp(echo);
    const listening = await listenTcp({
      host: "::",
      port: 0,
      limits: defaultLimits,
      admission,
      deadlines,
      accept: (transport) => {
        addresses.push(transport.peer.address);
        return echo(transport);
      },
    });
    open.push(listening);
    const client = await dial(listening.port);
    await until(() => addresses.length === 1);
    expect(addresses).toEqual(["127.0.0.1"]);
    client.destroy();
  });

  it("names the port that is taken", async () => {
    const { listening, admission, deadlines } = await setUp(echo);
    const second = listenTcp({
      host: "127.0.0.1",
      port: listening.port,
      limits: defaultLimits,
      admission,
      deadlines,
      accept: echo,
    });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE", exitCode: 74 });
    await expect(second).rejects.toThrow(`cannot listen on 127.0.0.1:${listening.port}: another process listens there`);
  });
});
