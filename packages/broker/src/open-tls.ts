/** The TLS side of a broker: its own certificate, and which client certificates are good. */

import type { Log } from "./admin/log.ts";
import type { Administrator } from "./administrator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { DataHome } from "./data-home.ts";
import type { Host } from "./host/host.ts";
import { certificateNames } from "./input/certificate-names.ts";
import { managedCertificate, ownCertificate, type ServerCertificate } from "./input/certificates.ts";
import { FileClientAuthority } from "./input/client-authority.ts";
import type { ClientTrust } from "./input/client-trust.ts";
import { type LoadedClientTrust, loadClientTrust } from "./input/load-client-trust.ts";
import { clientAuthority, type ManagedAuthority, managedAuthority } from "./input/managed-authority.ts";
import { ServerTls } from "./input/tls.ts";
import type { ClientAuthority } from "./model/certificate-administration.ts";

export interface OpenTlsParts {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host: Host;
  readonly home: DataHome;
  /** Where certificates lie. */
  readonly files: string;
  /** Hears of another trust in client certificates, which a reload brought. */
  readonly administrator: Pick<Administrator, "certificates" | "audit">;
}

/** `undefined` where there is no TLS. In insecure development mode no client certificate is asked for. */
export async function openTls(parts: OpenTlsParts): Promise<ServerTls | undefined> {
  const { config, log, host, administrator } = parts;
  if (config.insecureDev && config.mqttsPort === undefined) return undefined;
  return ServerTls.open({
    load: () => serverCertificate(parts),
    ...(!config.insecureDev && {
      loadClients: () => loadClients(parts),
      clientsReloaded: (trust, before) => checkAgain(parts, trust, before),
    }),
    held: {
      heldBytesMax: config.limits.outboundBytesMax,
      exceeded: (address) => administrator.audit("limit.hit", { limit: "outboundBytesMax", address }),
    },
    now: () => host.clock.now(),
    timers: host.timers,
    report: (level, message) => log[level]("certificate", { message }),
  });
}

function checkAgain({ administrator }: OpenTlsParts, trust: ClientTrust, before: ClientTrust): void {
  administrator.certificates.checkAgain("mess", {
    isRevoked: (issuer, serial) => trust.isRevoked(issuer, serial),
    hasLostAuthority: trust.hasLostAuthorityOf(before),
  });
}

function serverCertificate({ config, host, home, files }: OpenTlsParts): Promise<ServerCertificate> {
  if (config.tlsCert !== undefined && config.tlsKey !== undefined) {
    return ownCertificate(config.tlsCert, config.tlsKey, host.clock.now());
  }
  const names = certificateNames(config.hostNames);
  return managedCertificate({ directory: files, box: home.keyring.box, names, now: host.clock.now() });
}

type AuthorityParts = Pick<OpenTlsParts, "host" | "home" | "files">;

/** What `mess cert issue` signs with; `undefined` where there are no client certificates. */
export function openClientAuthority(
  parts: AuthorityParts & { readonly config: ServeConfig; readonly isListening: boolean },
): ClientAuthority | undefined {
  if (!parts.isListening || parts.config.insecureDev) return undefined;
  return new FileClientAuthority(async () => (await readClientAuthority(parts)).authority);
}

function readClientAuthority({ host, home, files: directory }: AuthorityParts): Promise<ManagedAuthority> {
  return managedAuthority(clientAuthority, { directory, box: home.keyring.box, now: host.clock.now() });
}

async function loadClients(parts: OpenTlsParts): Promise<LoadedClientTrust> {
  const { config, host } = parts;
  const { authority, notes } = await readClientAuthority(parts);
  const { clientCa: authoritiesFile, clientCrl: listsFile } = config;
  const loaded = await loadClientTrust({ authority, authoritiesFile, listsFile, now: host.clock.now() });
  return { trust: loaded.trust, notes: [...notes, ...loaded.notes] };
}
