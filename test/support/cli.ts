import { messCommand, type Server } from "./server.ts";
import { type Ran, type RunOptions, run } from "./tools.ts";

/** Runs a command of mess to its end. */
export function mess(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(messCommand, args, options);
}

/** The same on the machine of a running server, found by its data directory. */
export function messAt(server: Server, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return mess([...args, "--data", server.dataDir], options);
}

export interface Key {
  readonly id: string;
  readonly secret: string;
  readonly principal: string;
}

export async function createKey(server: Server, name: string, ...roles: string[]): Promise<Key> {
  const made = await messAt(server, ["key", "create", name, ...roles.flatMap((role) => ["--role", role]), "--json"]);
  if (made.code !== 0) throw new Error(`key create: ${made.stderr}`);
  return JSON.parse(made.stdout) as Key;
}
