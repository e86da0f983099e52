/** The TLS side of a broker: its own certificate, and which client certificates are good. */

import type { Log } from "./admin/log.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { DataHome } from "./data-home.ts";
import type { Host } from "./host/host.ts";
import { certificateNames } from "./input/certificate-names.ts";
import { managedCertificate, ownCertificate, type ServerCertificate } from "./input/certificates.ts";
import type { ClientTrust } from "./input/client-trust.ts";
import { type LoadedClientTrust, loadClientTrust } from "./input/load-client-trust.ts";
import { clientAuthority, managedAuthority } from "./input/managed-authority.ts";
import { ServerTls } from "./input/tls.ts";

export interface OpenTlsParts {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host: Host;
  readonly home: DataHome;
  /** Where certificates lie. */
  readonly files: string;
  /** A reload brought another trust in client certificates. */
  readonly clientsReloaded: (trust: ClientTrust) => void;
}

/** `undefined` where there is no TLS. In insecure development mode no client certificate is asked for. */
export async function openTls(parts: OpenTlsParts): Promise<ServerTls | undefined> {
  const { config, log, host } = parts;
  if (config.insecureDev && config.mqttsPort === undefined) return undefined;
  return ServerTls.open({
    load: () => serverCertificate(parts),
    ...(!config.insecureDev && { loadClients: () => loadClients(parts), clientsReloaded: parts.clientsReloaded }),
    now: () => host.clock.now(),
    timers: host.timers,
    report: (level, message) => log[level]("certificate", { message }),
  });
}

function serverCertificate({ config, host, home, files }: OpenTlsParts): Promise<ServerCertificate> {
  if (config.tlsCert !== undefined && config.tlsKey !== undefined) {
    return ownCertificate(config.tlsCert, config.tlsKey, host.clock.now());
  }
  const names = certificateNames(config.hostNames);
  return managedCertificate({ directory: files, box: home.keyring.box, names, now: host.clock.now() });
}

async function loadClients({ config, host, home, files }: OpenTlsParts): Promise<LoadedClientTrust> {
  const now = host.clock.now();
  const { authority, notes } = await managedAuthority(clientAuthority, {
    directory: files,
    box: home.keyring.box,
    now,
  });
  const { clientCa: authoritiesFile, clientCrl: listsFile } = config;
  const loaded = await loadClientTrust({ authority, authoritiesFile, listsFile, now });
  return { trust: loaded.trust, notes: [...notes, ...loaded.notes] };
}
