/** Starts the engine of a broker as its configuration says. */
import type { BrokerOptions } from "./broker.ts";
import { headerReader, schemaCompiler } from "./content-readers.ts";
import type { DataHome } from "./data-home.ts";
import { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";

/** Wills of clients that were connected at a crash wait this long for them to come back. */
const reconnectGraceMs = 10_000;

export function startEngine(options: BrokerOptions, host: Host, home: DataHome): Promise<BrokerEngine> {
  const { config, log } = options;
  return BrokerEngine.start({
    host,
    opened: home.opened,
    directory: home.directory,
    limits: config.limits,
    firstPolicy: { roles: {}, principals: {} },
    everythingAllowed: config.insecureDev,
    headers: headerReader,
    schemas: schemaCompiler,
    machine: {
      reconnectGraceMs,
      observeAudit: (event, detail) => log.info(event, detail),
      observeFailure: (reason) => {
        log.error("journal.failed", { reason, note: "nothing is acknowledged any more; the process ends" });
        options.onFailure?.(reason);
      },
    },
  });
}
