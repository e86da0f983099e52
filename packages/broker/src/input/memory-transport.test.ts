import { describe, expect, it } from "vitest";
import { type MemoryClientEnd, MemoryTransport } from "./memory-transport.ts";
import type { Transport, TransportHandler } from "./transport.ts";

interface Both {
  readonly broker: Transport;
  readonly client: MemoryClientEnd;
  /** What each side was told, in order. */
  readonly told: string[];
  readonly turn: () => void;
  /** Runs turns until nothing is planned; fails when it never ends. */
  readonly settle: () => void;
}

function pipe(): Both {
  const told: string[] = [];
  const planned: (() => void)[] = [];
  let inside = false;
  const tell = (what: string): void => {
    expect(inside, `${what} inside a call`).toBe(true);
    told.push(what);
  };
  const handler: TransportHandler = {
    bytes: (buffer, start, end) => tell(`broker got ${buffer.toString("latin1", start, end)}`),
    drained: () => tell("broker drained"),
    closed: (reason) => tell(`broker closed: ${reason}`),
  };
  const transport = new MemoryTransport({
    accept: () => handler,
    peer: { address: "embedded", kind: "memory", principal: "shop" },
    events: {
      data: (bytes, start, end) => tell(`client got ${Buffer.from(bytes.subarray(start, end)).toString("latin1")}`),
      drain: () => tell("client drained"),
      closed: () => tell("client closed"),
    },
    soon: (run) => void planned.push(run),
    closed: () => tell("place free"),
  });
  const turn = (): void => {
    inside = true;
    for (const run of planned.splice(0)) run();
    inside = false;
  };
  const settle = (): void => {
    for (let turns = 0; planned.length > 0; turns++) {
      if (turns > 100) throw new Error("it never comes to rest");
      turn();
    }
  };
  return { broker: transport, client: transport.clientEnd, told, turn, settle };
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("MemoryTransport", () => {
  it("carries bytes both ways in order, from the event loop", () => {
    const { broker, client, told, settle } = pipe();
    client.write(bytes("a"));
    client.write(bytes("b"));
    let given = 0;
    broker.send(bytes("x"), () => given++);
    broker.send(bytes("y"), () => given++);
    expect(broker.pendingBytes).toBe(2);
    expect(told).toEqual([]);
    settle();
    expect(told).toEqual(["client got x", "client got y", "broker got a", "broker got b", "broker drained"]);
    expect(given).toBe(2);
    expect(broker.pendingBytes).toBe(0);
  });

  it("keeps bytes for a broker that pauses, asks the writer to wait, and tells it when to go on", () => {
    const { broker, client, told, settle } = pipe();
    broker.pause();
    expect(client.write(bytes("small"))).toBe(true);
    expect(client.write(Buffer.alloc(256 * 1_024))).toBe(false);
    settle();
    expect(told).toEqual([]);
    broker.resume();
    settle();
    expect(told[0]).toBe("broker got small");
    expect(told.at(-1)).toBe("client drained");
  });

  it("keeps bytes for a client that pauses, and does not call the broker drained before they are out", () => {
    const { broker, client, told, settle } = pipe();
    client.pause();
    let isGiven = false;
    broker.send(bytes("x"), () => {
      isGiven = true;
    });
    settle();
    expect(told).toEqual([]);
    expect(isGiven).toBe(false);
    client.resume();
    settle();
    expect(told).toEqual(["client got x", "broker drained"]);
    expect(isGiven).toBe(true);
  });

  it.each(["broker", "client"] as const)(
    "delivers what was sent before the %s ended it, then closes both once",
    (who) => {
      const { broker, client, told, settle } = pipe();
      broker.send(bytes("last"));
      client.write(bytes("too"));
      if (who === "broker") broker.end();
      else client.end();
      client.write(bytes("late"));
      settle();
      const reason = who === "broker" ? "ended by the broker" : "closed by the client";
      expect(told).toEqual([
        "client got last",
        "broker got too",
        `broker closed: ${reason}`,
        "client closed",
        "place free",
      ]);
      broker.destroy("again");
      client.destroy();
      settle();
      expect(told).toHaveLength(5);
    },
  );

  it("forgets what is queued when it is destroyed, and gives buffers back", () => {
    const { broker, client, told, settle } = pipe();
    let given = 0;
    broker.send(bytes("x"), () => given++);
    client.write(bytes("a"));
    client.destroy();
    broker.send(bytes("y"), () => given++);
    settle();
    expect(told).toEqual(["broker closed: closed by the client", "client closed", "place free"]);
    expect(given).toBe(2);
  });

  it("ends even when the reader had paused for good", () => {
    const { broker, client, told, settle } = pipe();
    client.pause();
    broker.send(bytes("bye"));
    broker.end();
    settle();
    expect(told.slice(0, 2)).toEqual(["client got bye", "broker closed: ended by the broker"]);
  });

  it("delivers nothing more once a reader destroyed it in the middle", () => {
    const planned: (() => void)[] = [];
    const got: string[] = [];
    const transport: MemoryTransport = new MemoryTransport({
      accept: () => ({ bytes: () => undefined, drained: () => undefined, closed: () => got.push("closed") }),
      peer: { address: "embedded", kind: "memory" },
      events: {
        data: (chunk) => {
          got.push(Buffer.from(chunk).toString("latin1"));
          transport.clientEnd.destroy();
        },
        drain: () => undefined,
        closed: () => undefined,
      },
      soon: (run) => void planned.push(run),
      closed: () => undefined,
    });
    transport.send(bytes("1"));
    transport.send(bytes("2"));
    while (planned.length > 0) planned.shift()?.();
    expect(got).toEqual(["1", "closed"]);
  });
});
