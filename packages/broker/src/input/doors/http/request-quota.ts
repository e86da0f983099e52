import type { Limits } from "../../../config/limits.ts";
import { HttpRefusal } from "./problem.ts";

export interface RequestQuotaOptions {
  /** Requests a principal may make a second; a second's worth may come at once. */
  readonly perSecond: number;
  /** Answers that go on (event streams, waiting pulls) a principal may have open. */
  readonly openMax: number;
  /** Told of each refusal, with the setting behind it. */
  limitHit(limit: keyof Limits, principal: string): void;
}

interface Bucket {
  tokens: number;
  /** Monotonic milliseconds. */
  filledAt: number;
}

/** Buckets kept; full ones are forgotten first. There are never many more principals than the policy names. */
const BUCKETS_MAX = 10_000;

/** What each principal may ask for: a token bucket of requests, and a number of answers that go on. */
export class RequestQuota {
  readonly #options: RequestQuotaOptions;
  readonly #buckets: Map<string, Bucket> = new Map();
  readonly #open: Map<string, number> = new Map();

  constructor(options: RequestQuotaOptions) {
    this.#options = options;
  }

  /** Takes one request. Returns the headers to tell of it (RateLimit header fields for HTTP); throws 429 when there is none left. */
  take(principal: string, nowMs: number): Readonly<Record<string, string>> {
    const { perSecond } = this.#options;
    const bucket = this.#bucket(principal, nowMs);
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    const headers = {
      "ratelimit-policy": `"principal";q=${perSecond};w=1`,
      ratelimit: `"principal";r=${Math.floor(bucket.tokens)};t=${bucket.tokens >= perSecond ? 0 : 1}`,
    };
    if (allowed) return headers;
    this.#options.limitHit("httpRequestsPerPrincipalPerSecond", principal);
    throw new HttpRefusal("too-many-requests", `at most ${perSecond} requests a second; try again in 1 s`, {
      headers: { ...headers, "retry-after": "1" },
    });
  }

  /** Throws 429 when the principal has as many open as it may. The result gives the place back; calling it again does nothing. */
  open(principal: string): () => void {
    const { openMax } = this.#options;
    const count = this.#open.get(principal) ?? 0;
    if (count >= openMax) {
      this.#options.limitHit("httpOpenPerPrincipalMax", principal);
      throw new HttpRefusal("too-many-requests", `at most ${openMax} streams and waiting pulls at a time`, {
        headers: { "retry-after": "1" },
      });
    }
    this.#open.set(principal, count + 1);
    let closed = false;
    return () => {
      if (closed) return;
      closed = true;
      const left = (this.#open.get(principal) ?? 1) - 1;
      if (left === 0) this.#open.delete(principal);
      else this.#open.set(principal, left);
    };
  }

  #bucket(principal: string, nowMs: number): Bucket {
    const { perSecond } = this.#options;
    let bucket = this.#buckets.get(principal);
    if (bucket === undefined) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#forgetFull(nowMs);
      bucket = { tokens: perSecond, filledAt: nowMs };
      this.#buckets.set(principal, bucket);
    }
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((nowMs - bucket.filledAt) / 1_000) * perSecond);
    bucket.filledAt = nowMs;
    return bucket;
  }

  /** After a second without requests a bucket is full again, and the same as none. */
  #forgetFull(nowMs: number): void {
    for (const [principal, { filledAt }] of this.#buckets) {
      if (nowMs - filledAt >= 1_000) this.#buckets.delete(principal);
    }
  }
}
