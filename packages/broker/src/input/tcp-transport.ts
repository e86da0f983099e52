import { Socket } from "node:net";
import type { Deadlines } from "./deadlines.ts";
import { type Reading, SocketTransport, transportOf } from "./socket-transport.ts";
import type { Peer } from "./transport.ts";

/** Bytes of one read at most. 256 KiB pays for messages of 1 KiB and costs nothing for small ones. */
const READ_BUFFER_BYTES = 256 * 1024;

/** The one read buffer of all plain connections: Node reads into it and calls back before the next read. */
const readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

const staticReading: { buffer: Buffer; callback: (this: Socket, length: number, buffer: Uint8Array) => boolean } = {
  buffer: readBuffer,
  callback(length: number): boolean {
    transportOf(this)?.take(readBuffer, length);
    return true;
  },
};

/** What `net` hides: the operating system's side of a socket. */
interface AcceptedSocket {
  _handle?: (object & { useUserBuffer?: unknown }) | null;
}

export interface TcpConnection {
  readonly transport: SocketTransport;
  readonly socket: Socket;
  /** To be handed to `transport.start`. */
  readonly reading: Reading;
}

/**
 * A transport over an accepted plain socket (`pauseOnConnect`). `net.Server` cannot give a socket a static read
 * buffer, so the handle moves to a new socket that has one; where Node does not let it go, the accepted socket
 * stays and reads by 'data' events, slower and otherwise the same.
 */
export function openTcp(accepted: Socket, peer: Peer, deadlines: Deadlines): TcpConnection {
  const moved = moveToStaticBuffer(accepted);
  const socket = moved ?? accepted;
  const transport = new SocketTransport(socket, peer, deadlines);
  return { transport, socket, reading: moved === undefined ? "data-events" : "static-buffer" };
}

function moveToStaticBuffer(accepted: Socket): Socket | undefined {
  const hidden = accepted as unknown as AcceptedSocket;
  const handle = hidden._handle;
  if (typeof handle !== "object" || handle === null || typeof handle.useUserBuffer !== "function") return undefined;
  let socket: Socket;
  try {
    // `handle` and `onread` together are accepted by Node but not by its types.
    const options = { handle, onread: staticReading, pauseOnCreate: true };
    socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  } catch {
    return undefined;
  }
  hidden._handle = null;
  // Without a handle this closes nothing; it takes the accepted socket off its server's count.
  accepted.destroy();
  return socket;
}
