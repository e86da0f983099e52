/** Joins the authenticator to the parts that know credentials. */
import type { Log } from "./admin/log.ts";
import type { Administrator } from "./administrator.ts";
import { BrokerAuthenticator } from "./authenticator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { DataHome } from "./data-home.ts";
import type { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import type { CredentialThrottle } from "./identity/credential-throttle.ts";
import { JwtIssuers } from "./jwt-issuers.ts";
import type { Policy } from "./model/policy.ts";
import { ScramLogin } from "./scram-login.ts";

export interface OpenAuthenticatorParts {
  readonly config: ServeConfig;
  readonly host: Host;
  readonly home: DataHome;
  readonly engine: BrokerEngine;
  readonly administrator: Administrator;
  readonly throttle: CredentialThrottle;
  readonly issuers: JwtIssuers;
  /** Who everybody is in insecure development mode. */
  readonly devPrincipal: string;
}

export function openAuthenticator(parts: OpenAuthenticatorParts): BrokerAuthenticator {
  const { config, host, home, engine, administrator, throttle, issuers, devPrincipal } = parts;
  return new BrokerAuthenticator({
    throttle,
    monotonic: () => host.clock.monotonic(),
    now: () => host.clock.now(),
    keys: (keyId, secret) => administrator.keys.identify(keyId, secret),
    certificates: administrator.certificates,
    // Without an issuer what looks like a JWT is a wrong secret like any other.
    ...(config.jwt.length > 0 && { tokens: issuers }),
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

export interface OpenIssuersParts {
  readonly config: ServeConfig;
  readonly host: Host;
  readonly log: Log;
  readonly policy: () => Policy;
}

/** Those whose JWTs are taken. Rejects with `StartError` when a file of keys cannot be used. */
export function openIssuers({ config, host, log, policy }: OpenIssuersParts): Promise<JwtIssuers> {
  return JwtIssuers.open({
    issuers: config.jwt,
    policy,
    monotonic: () => host.clock.monotonic(),
    report: (level, event, detail) => log[level](event, detail),
  });
}
