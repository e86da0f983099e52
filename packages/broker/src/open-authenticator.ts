/** Joins the authenticator to the parts that know credentials. */
import type { Administrator } from "./administrator.ts";
import { BrokerAuthenticator, type TokenVerifier } from "./authenticator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { DataHome } from "./data-home.ts";
import type { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import type { CredentialThrottle } from "./identity/credential-throttle.ts";
import { ScramLogin } from "./scram-login.ts";

export interface OpenAuthenticatorParts {
  readonly config: ServeConfig;
  readonly host: Host;
  readonly home: DataHome;
  readonly engine: BrokerEngine;
  readonly administrator: Administrator;
  readonly throttle: CredentialThrottle;
  /** Of other issuers; absent where the configuration names none. */
  readonly tokens: TokenVerifier | undefined;
  /** Who everybody is in insecure development mode. */
  readonly devPrincipal: string;
}

export function openAuthenticator(parts: OpenAuthenticatorParts): BrokerAuthenticator {
  const { config, host, home, engine, administrator, throttle, tokens, devPrincipal } = parts;
  return new BrokerAuthenticator({
    throttle,
    monotonic: () => host.clock.monotonic(),
    now: () => host.clock.now(),
    keys: (keyId, secret) => administrator.keys.identify(keyId, secret),
    ...(tokens !== undefined && { tokens }),
    scram: new ScramLogin({
      passwords: engine.machine.state.passwords,
      secret: home.keyring.box.derive("scram-unknown-names"),
      random: host.random,
    }),
    checksMax: config.limits.authenticationsMax,
    audit: (event, detail) => administrator.audit(event, detail),
    ...(config.insecureDev && { anonymous: devPrincipal }),
  });
}
