/** Commands on a data directory that no server runs on: a new admin key, the escrow copy of the key-encryption key. */
import type { Writable } from "node:stream";
import { Administrator } from "./administrator.ts";
import { formatConfigProblem, loadConfig } from "./config/load.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { headerReader, schemaCompiler } from "./content-readers.ts";
import { checkpointsOf, openDataHome } from "./data-home.ts";
import { BrokerEngine } from "./engine.ts";
import { makeAdminKey } from "./first-key.ts";
import { nodeHost } from "./host/node-host.ts";
import { kekOptionsOf } from "./kek-options-of.ts";
import { StartError } from "./start-error.ts";
import { formatKek, KEK_BYTES, loadKek } from "./storage/kek.ts";

export interface OfflineOptions {
  readonly data: string;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderr?: Writable;
}

/** Makes a new admin key, writes it to `DIR/admin.key` and returns it. Other admin keys stay valid until revoked. */
export async function resetAdminKey(
  options: OfflineOptions,
): Promise<{ readonly id: string; readonly secret: string }> {
  const config = offlineConfig(options);
  const host = nodeHost();
  const stat = await host.disk.stat(config.data);
  if (stat === undefined) throw new StartError(78, `there is no data directory ${config.data}`);
  const home = await openDataHome({
    host,
    kek: kekOptionsOf(config),
    limits: config.limits,
    checkpoints: checkpointsOf(config),
  });
  const engine = await BrokerEngine.start({
    host,
    opened: home.opened,
    directory: home.directory,
    limits: config.limits,
    firstPolicy: { roles: {}, principals: {} },
    everythingAllowed: false,
    headers: headerReader,
    schemas: schemaCompiler,
    machine: { reconnectGraceMs: 0, observeAudit: () => {}, observeFailure: () => {} },
  });
  const administrator = new Administrator({
    engine,
    host,
    beginBackup: home.opened.beginBackup,
    storage: home.storage,
    log: home.log,
    devPrincipal: undefined,
    doorMetrics: () => [],
  });
  const line = await makeAdminKey(administrator, home.directory);
  await engine.stop();
  const dot = line.indexOf(".");
  return { id: line.slice(0, dot), secret: line.slice(dot + 1) };
}

/** The key-encryption key as text, to be kept in a safe place. */
export async function exportKek(options: OfflineOptions): Promise<string> {
  const config = offlineConfig(options);
  if ((await nodeHost().disk.stat(config.data)) === undefined) {
    throw new StartError(78, `there is no data directory ${config.data}`);
  }
  return formatKek((await loadKek(kekOptionsOf(config))).kek);
}

/** A new key-encryption key as text. It opens nothing yet; a first start makes its directory with it. */
export function newKek(): string {
  return formatKek(nodeHost().random.bytes(KEK_BYTES));
}

export function offlineConfig(options: OfflineOptions): ServeConfig {
  const loaded = loadConfig({ options: { ...options.flags, data: options.data }, env: options.env });
  if ("problems" in loaded) {
    throw new StartError(
      78,
      `the configuration is refused:\n  ${loaded.problems.map(formatConfigProblem).join("\n  ")}`,
    );
  }
  return loaded.config;
}
