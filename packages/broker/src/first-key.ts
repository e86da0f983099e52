/** The first key of a broker, and the file it lies in until its owner takes it away. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Administrator } from "./administrator.ts";
import type { BrokerEngine } from "./engine.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";

const adminKeyFile = "admin.key";

export interface FirstKeyParts {
  readonly engine: BrokerEngine;
  readonly administrator: Administrator;
  /** Where `admin.key` goes. */
  readonly files: string;
  /** This start made the journal. */
  readonly isNew: boolean;
}

/** At the first start: one key with every right, in `admin.key`, and nowhere else in clear. */
export async function firstAdminKey(parts: FirstKeyParts): Promise<string | undefined> {
  const { engine, administrator, files, isNew } = parts;
  const hasAdmin = [...engine.machine.state.keys.values()].some((key) => key.principal === ADMIN_PRINCIPAL);
  if (hasAdmin) return undefined;
  if (!isNew && engine.machine.state.keys.size > 0) return undefined;
  return makeAdminKey(administrator, files);
}

export async function makeAdminKey(administrator: Administrator, directory: string): Promise<string> {
  const { id, secret } = await administrator.createAdminKey();
  const path = join(directory, adminKeyFile);
  await rm(path, { force: true });
  await writeFile(path, `${id}.${secret}\n`, { mode: 0o600, flag: "wx" });
  return `${id}.${secret}`;
}
