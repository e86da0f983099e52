/** Plain sockets from many addresses of this machine, for loads that need no MQTT client. */
import { connect, type Socket } from "node:net";
import type { Endpoint } from "../support/streams.ts";

/** Address `index` of 127.0.0.0/8, none of them the healthy client's; each is another client to the broker. */
export function loopback(index: number): string {
  const number = index + 256;
  return `127.${1 + ((number >> 16) & 0x3f)}.${(number >> 8) & 0xff}.${number & 0xff || 1}`;
}

/** Opens a TCP connection from `from`; undefined when it was refused or cut at once. */
export function openSocket(to: Endpoint, from: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: to.host, port: to.port, localAddress: from });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
    socket.on("error", () => {});
  });
}

/** Resolves when the other side has closed; false when it has not in time. */
export function closes(socket: Socket, milliseconds: number): Promise<boolean> {
  if (socket.destroyed) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    const closed = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    socket.once("close", closed);
    socket.resume();
  });
}
