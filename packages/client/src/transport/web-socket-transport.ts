import { MessError } from "../mess-error.ts";
import { unlessAborted } from "../unless-aborted.ts";
import type { Transport, TransportEvents, TransportOptions } from "./transport.ts";

/** What we use of the standard WebSocket: browsers have it, and Node from version 22 on. */
interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  send(bytes: Uint8Array): void;
  close(): void;
  addEventListener(type: string, listener: (event: { readonly data?: unknown; readonly code?: number }) => void): void;
}

type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** Bytes queued in the WebSocket above which we wait; it has no event for room, so it is looked at now and then. */
const bufferedMax = 1 << 20;
const lookMs = 10;

/**
 * MQTT in binary messages of a WebSocket with the sub-protocol `mqtt` [MQTT-6.0.0-1, -3]. Certificates are checked by the
 * browser, or by Node's own store: there is no way to give a CA.
 */
export async function openWebSocketTransport(options: TransportOptions, events: TransportEvents): Promise<Transport> {
  const { address, signal } = options;
  const where = `${address.host}:${address.port}`;
  const WebSocket = (globalThis as { readonly WebSocket?: WebSocketConstructor }).WebSocket;
  if (WebSocket === undefined) {
    throw new MessError("INVALID_ARGUMENT", "there is no WebSocket here", {
      hint: "use mqtts://HOST:PORT, or Node 22 or newer",
    });
  }
  if ([options.ca, options.serverName, options.cert, options.key].some((option) => option !== undefined)) {
    throw new MessError("INVALID_ARGUMENT", "a WebSocket takes no ca, serverName, cert or key of its own", {
      hint: "use mqtts://; or trust the certificate system-wide, and install your own in the browser",
    });
  }
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  const socket = new WebSocket(`${address.secure ? "wss" : "ws"}://${host}:${address.port}${address.path}`, ["mqtt"]);
  socket.binaryType = "arraybuffer";
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    // A page is not told why, so that it cannot explore the network.
    const hint = "is it there, is its certificate trusted, is this page one of its own?";
    const failure = new MessError("UNREACHABLE", `cannot open a WebSocket to ${where}`, { hint });
    socket.addEventListener("close", () => reject(failure));
    // One that the page's own Content Security Policy forbids is never closed.
    socket.addEventListener("error", () => reject(failure));
  });
  await unlessAborted(opened, signal, () => {
    socket.close();
    return new MessError("ABORTED", `connecting to ${where} was given up`, { cause: signal.reason });
  });
  return wire(socket, events);
}

function wire(socket: WebSocketLike, events: TransportEvents): Transport {
  let over = false;
  let looking: ReturnType<typeof setInterval> | undefined;
  const end = (error?: Error): void => {
    if (over) return;
    over = true;
    clearInterval(looking);
    events.closed(error);
  };
  socket.addEventListener("message", ({ data }) => {
    if (over) return;
    if (!(data instanceof ArrayBuffer)) {
      socket.close();
      return end(new Error("the server sent text, and MQTT is binary"));
    }
    const bytes = new Uint8Array(data);
    events.data(bytes, 0, bytes.length);
  });
  socket.addEventListener("close", ({ code }) => {
    end(code === 1000 || code === 1005 ? undefined : new Error(`the WebSocket was closed (${code})`));
  });
  return {
    write: (bytes) => {
      if (over) return true;
      socket.send(bytes);
      if (socket.bufferedAmount <= bufferedMax) return true;
      looking ??= setInterval(() => {
        if (socket.bufferedAmount > bufferedMax) return;
        clearInterval(looking);
        looking = undefined;
        events.drain();
      }, lookMs);
      return false;
    },
    // It cannot be stopped. Receive Maximum bounds what comes.
    pause: () => undefined,
    resume: () => undefined,
    end: () => socket.close(),
    destroy: () => {
      socket.close();
      queueMicrotask(() => end());
    },
  };
}
