/** The rate limiter of a broker, and how it tells of what it refuses. */
import type { Administrator } from "./administrator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Host } from "./host/host.ts";
import { RateLimiter, withoutRates } from "./input/rate-limiter.ts";
import type { InputTally } from "./input-tally.ts";

/** Of one limit: a flood is one event a second in the audit trail, and counted in full. */
const auditEveryMs = 1_000;

export interface RatesParts {
  readonly config: ServeConfig;
  readonly host: Host;
  readonly tally: InputTally;
  readonly administrator: Pick<Administrator, "audit">;
}

/** Without limits in insecure development mode; what topics declare holds there too. */
export function openRates({ config, host, tally, administrator }: RatesParts): RateLimiter {
  const monotonic = (): number => host.clock.monotonic();
  const auditedAt = new Map<string, number>();
  return new RateLimiter({
    limits: config.insecureDev ? withoutRates(config.limits) : config.limits,
    monotonic,
    limitHit: (limit, { principal, peer }) => {
      const now = monotonic();
      if (now - (auditedAt.get(limit) ?? Number.NEGATIVE_INFINITY) < auditEveryMs) {
        tally.count(limit);
        return;
      }
      auditedAt.set(limit, now);
      // Counts it too.
      administrator.audit("limit.hit", { limit, principal, address: peer.address });
    },
  });
}
