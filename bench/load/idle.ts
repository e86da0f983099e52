import { Link, type Target } from "./link.ts";

export interface IdleConnections {
  /** Connections that stand. */
  readonly count: number;
  readonly connectsPerSecond: number;
  /** Ends them all without a word. */
  close(): void;
}

const atOnce = 100;
const addresses = 200;

/** Connections that do nothing, from many addresses of 127/8 where the target is on loopback. */
export async function openIdle(target: Target, count: number): Promise<IdleConnections> {
  const began = performance.now();
  const links: Link[] = [];
  let next = 0;
  const open = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const localAddress = `127.1.${index % addresses}.${1 + (Math.floor(index / addresses) % 250)}`;
      links.push(
        await Link.open({ target, clientId: `bench-i${index}`, cleanSession: true, keepAlive: 600, localAddress }),
      );
    }
  };
  const closeAll = (): void => {
    for (const link of links) link.destroy();
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, open));
  } catch (error) {
    closeAll();
    throw error;
  }
  return { count: links.length, connectsPerSecond: count / ((performance.now() - began) / 1_000), close: closeAll };
}
