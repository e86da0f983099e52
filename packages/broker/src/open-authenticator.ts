/** Joins the authenticator to the parts that know credentials. */
import type { Administrator } from "./administrator.ts";
import { BrokerAuthenticator } from "./authenticator.ts";
import type { Limits } from "./config/limits.ts";
import type { Host } from "./host/host.ts";
import type { CredentialThrottle } from "./identity/credential-throttle.ts";

export interface OpenAuthenticatorParts {
  readonly limits: Limits;
  readonly host: Host;
  readonly administrator: Administrator;
  readonly throttle: CredentialThrottle;
  /** In insecure development mode: who everybody is. */
  readonly anonymous: string | undefined;
}

export function openAuthenticator(parts: OpenAuthenticatorParts): BrokerAuthenticator {
  const { limits, host, administrator, throttle, anonymous } = parts;
  return new BrokerAuthenticator({
    throttle,
    monotonic: () => host.clock.monotonic(),
    now: () => host.clock.now(),
    keys: (keyId, secret) => {
      const principal = administrator.authenticate(keyId, secret);
      return principal === undefined ? undefined : { principal, keyId, method: "key" };
    },
    checksMax: limits.authenticationsMax,
    audit: (event, detail) => administrator.audit(event, detail),
    ...(anonymous !== undefined && { anonymous }),
  });
}
