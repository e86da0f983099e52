/** Joins the authenticator to the parts that know credentials. */
import type { Administrator } from "./administrator.ts";
import { BrokerAuthenticator, type TokenVerifier } from "./authenticator.ts";
import type { Limits } from "./config/limits.ts";
import type { Host } from "./host/host.ts";
import type { CredentialThrottle } from "./identity/credential-throttle.ts";

export interface OpenAuthenticatorParts {
  readonly limits: Limits;
  readonly host: Host;
  readonly administrator: Administrator;
  readonly throttle: CredentialThrottle;
  /** Of other issuers; absent where the configuration names none. */
  readonly tokens: TokenVerifier | undefined;
  /** In insecure development mode: who everybody is. */
  readonly anonymous: string | undefined;
}

export function openAuthenticator(parts: OpenAuthenticatorParts): BrokerAuthenticator {
  const { limits, host, administrator, throttle, tokens, anonymous } = parts;
  return new BrokerAuthenticator({
    throttle,
    monotonic: () => host.clock.monotonic(),
    now: () => host.clock.now(),
    keys: (keyId, secret) => administrator.keys.identify(keyId, secret),
    ...(tokens !== undefined && { tokens }),
    checksMax: limits.authenticationsMax,
    audit: (event, detail) => administrator.audit(event, detail),
    ...(anonymous !== undefined && { anonymous }),
  });
}
