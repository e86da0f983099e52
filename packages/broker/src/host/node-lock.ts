import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { DirectoryLock, DiskError } from "./host.ts";

const SOCKET_NAME = "lock.sock";
/** What file systems without sockets say. */
const NO_SOCKETS: ReadonlySet<string> = new Set(["EOPNOTSUPP", "ENOTSUP", "EPERM", "ENOSYS"]);
/** `sun_path` holds 108 bytes with its final zero. */
const SOCKET_PATH_MAX = 107;
const CONNECT_DEADLINE_MS = 2_000;
/** A rival that found the same stale socket has acted by then. */
const RIVAL_MS = 50;

const busy = (path: string): DiskError => ({ code: "EBUSY", message: `${path} is in use by another process` });

/**
 * Locks a directory by listening on sockets, which the kernel takes away when the process dies, however it dies. An
 * abstract socket named by the directory's device and inode decides within one network namespace; a socket in the
 * directory decides between containers that share it. A stale file of the latter is found by connecting to it.
 */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const { dev, ino } = await lstat(path, { bigint: true });
  const servers: Server[] = [];
  const release = async (): Promise<void> => {
    for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  try {
    if (process.platform === "linux") servers.push(await listen(`\0mess-lock-${dev}-${ino}`, path));
    servers.push(...(await listenInDirectory(`${path}/${SOCKET_NAME}`, path, servers.length > 0)));
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/** `optional`: another lock holds, and a file system or a path that allows no socket is no reason to refuse. */
async function listenInDirectory(socket: string, path: string, optional: boolean): Promise<Server[]> {
  if (Buffer.byteLength(socket) > SOCKET_PATH_MAX && optional) return [];
  try {
    return [await listenAt(socket, path)];
  } catch (error) {
    const { code } = error as DiskError;
    if (optional && NO_SOCKETS.has(code)) return [];
    if (code !== "EBUSY" || (await answers(socket))) throw error;
  }
  return [await replaceStale(socket, path)];
}

async function replaceStale(socket: string, path: string): Promise<Server> {
  await unlink(socket).catch(() => undefined);
  const server = await listenAt(socket, path);
  const mine = await lstat(socket, { bigint: true }).catch(() => undefined);
  await wait(RIVAL_MS);
  const now = await lstat(socket, { bigint: true }).catch(() => undefined);
  if (mine !== undefined && now !== undefined && mine.ino === now.ino) return server;
  // Not closed: closing a socket removes the file of its name, which is the rival's now.
  throw busy(path);
}

async function listenAt(socket: string, path: string): Promise<Server> {
  const server = await listen(socket, path);
  await chmod(socket, 0o600).catch(() => undefined);
  return server;
}

function listen(name: string, path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? busy(path) : error);
    });
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** True when a process listens there, or when it cannot be told that none does. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket);
    const end = (alive: boolean): void => {
      client.destroy();
      resolve(alive);
    };
    client.setTimeout(CONNECT_DEADLINE_MS, () => end(true));
    client.once("connect", () => end(true));
    client.once("error", (error: NodeJS.ErrnoException) => {
      end(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}
