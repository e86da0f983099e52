import { afterEach, describe, expect, it, vi } from "vitest";
import { parseAddress } from "../mqtt/address.ts";
import { openWebSocketTransport } from "./web-socket-transport.ts";

type Listener = (event: { readonly data?: unknown; readonly code?: number }) => void;

class FakeSocket {
  static last: FakeSocket | undefined;
  readonly url: string;
  readonly protocols: readonly string[];
  readonly sent: Uint8Array[] = [];
  binaryType = "blob";
  bufferedAmount = 0;
  closed = false;
  readonly #listeners = new Map<string, Listener[]>();

  constructor(url: string, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.last = this;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  emit(type: string, event: Parameters<Listener>[0] = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }

  close(): void {
    this.closed = true;
  }
}

afterEach(() => vi.unstubAllGlobals());

interface Opened {
  readonly transport: Awaited<ReturnType<typeof openWebSocketTransport>>;
  readonly socket: FakeSocket;
  readonly log: string[];
}

function opening(
  url = "wss://host.example/mqtt?a=b",
  signal: AbortSignal = new AbortController().signal,
): {
  readonly transport: ReturnType<typeof openWebSocketTransport>;
  readonly socket: FakeSocket;
  readonly log: string[];
} {
  vi.stubGlobal("WebSocket", FakeSocket);
  const log: string[] = [];
  const transport = openWebSocketTransport(
    { address: parseAddress(url), ca: undefined, serverName: undefined, signal },
    {
      data: (bytes, start, end) => log.push(`data ${[...bytes.subarray(start, end)].join(" ")}`),
      drain: () => log.push("drain"),
      closed: (error) => log.push(`closed ${error?.message ?? ""}`.trim()),
    },
  );
  transport.catch(() => undefined);
  return { transport, socket: FakeSocket.last as FakeSocket, log };
}

async function open(): Promise<Opened> {
  const { transport, socket, log } = opening();
  socket.emit("open");
  return { transport: await transport, socket, log };
}

describe("the WebSocket transport", () => {
  it("asks for the sub-protocol and binary messages, where the address says", async () => {
    const { socket } = await open();
    expect(socket).toMatchObject({
      url: "wss://host.example:443/mqtt?a=b",
      protocols: ["mqtt"],
      binaryType: "arraybuffer",
    });
    expect(opening("ws://[::1]:9001").socket.url).toBe("ws://[::1]:9001/mqtt");
  });

  it("carries bytes both ways, and says when it is full and when there is room again", async () => {
    const { transport, socket, log } = await open();
    socket.emit("message", { data: new Uint8Array([1, 2]).buffer });
    expect(transport.write(new Uint8Array([3]))).toBe(true);
    socket.bufferedAmount = 2_000_000;
    expect(transport.write(new Uint8Array([4]))).toBe(false);
    socket.bufferedAmount = 0;
    await vi.waitFor(() => expect(log).toEqual(["data 1 2", "drain"]));
    expect(socket.sent.map(([byte]) => byte)).toEqual([3, 4]);
  });

  it.each([
    [1000, "closed"],
    [1005, "closed"],
    [1006, "closed the WebSocket was closed (1006)"],
  ])("tells an end with code %i once", async (code, told) => {
    const { transport, socket, log } = await open();
    socket.emit("close", { code });
    transport.destroy();
    await Promise.resolve();
    expect(log).toEqual([told]);
    expect(transport.write(new Uint8Array(1))).toBe(true);
    expect(socket.sent).toEqual([]);
  });

  it("ends on text: MQTT is binary", async () => {
    const { socket, log } = await open();
    socket.emit("message", { data: "hello" });
    socket.emit("message", { data: new ArrayBuffer(1) });
    expect(log).toEqual(["closed the server sent text, and MQTT is binary"]);
    expect(socket.closed).toBe(true);
  });

  it.each(["close", "error"])("fails when it cannot be opened (%s)", async (event) => {
    const { transport, socket } = opening();
    socket.emit(event);
    await expect(transport).rejects.toMatchObject({ code: "UNREACHABLE", retryable: true });
  });

  it("is given up by its signal", async () => {
    const controller = new AbortController();
    const { transport, socket } = opening(undefined, controller.signal);
    controller.abort();
    await expect(transport).rejects.toMatchObject({ code: "ABORTED" });
    expect(socket.closed).toBe(true);
    await expect(opening(undefined, AbortSignal.abort()).transport).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("says where there is none, and that it takes no certificate", async () => {
    const options = { address: parseAddress("wss://x"), serverName: undefined, signal: new AbortController().signal };
    const events = { data: () => undefined, drain: () => undefined, closed: () => undefined };
    vi.stubGlobal("WebSocket", undefined);
    await expect(openWebSocketTransport({ ...options, ca: undefined }, events)).rejects.toThrow(/no WebSocket here/u);
    vi.stubGlobal("WebSocket", FakeSocket);
    await expect(openWebSocketTransport({ ...options, ca: "x" }, events)).rejects.toThrow(/takes no ca/u);
    await expect(openWebSocketTransport({ ...options, ca: undefined, cert: "x" }, events)).rejects.toThrow(
      /takes no ca/u,
    );
  });
});
