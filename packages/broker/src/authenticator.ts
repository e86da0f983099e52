/** All ways to prove who one is, behind the one interface that doors know; with the throttle, the audit, and a bound on checks under way. */
import type { CredentialThrottle } from "./identity/credential-throttle.ts";
import type {
  AuthenticationMethod,
  Authenticator,
  Exchange,
  Identity,
  Presented,
  PresentedCertificate,
  Refused,
  Verdict,
} from "./model/authentication.ts";
import { isRefused } from "./model/authentication.ts";
import { type ScramLogin, scramMethods } from "./scram-login.ts";

/** Checks JWTs. A promise never rejects. */
export interface TokenVerifier {
  verify(token: string, now: number): Promise<Verdict>;
}

/** Knows which client certificates count, and for whom. */
export interface CertificateJudge {
  /** Why a connection with this one is refused, whatever else it shows. */
  refusal(certificate: PresentedCertificate): Refused | undefined;
  identify(certificate: PresentedCertificate): Verdict;
}

export interface AuthenticatorParts {
  readonly throttle: Pick<CredentialThrottle, "retryAfterMs" | "failed">;
  /** Milliseconds that never go back, and wall-clock milliseconds. */
  readonly monotonic: () => number;
  readonly now: () => number;
  /** Whose API key or token it is. Takes the same time whether the id exists or not. */
  readonly keys: (keyId: string, secret: string) => Identity | undefined;
  readonly certificates?: CertificateJudge;
  readonly tokens?: TokenVerifier;
  readonly scram?: ScramLogin;
  /** Checks that may be under way at once; more are refused as busy. */
  readonly checksMax: number;
  readonly audit: (event: string, detail: Readonly<Record<string, string | number>>) => void;
  /** In insecure development mode everybody is this principal, whatever is shown. */
  readonly anonymous?: string;
}

const needed = "a valid key id as user name and its secret as password are needed";
const busy: Refused = { refused: "too many authentications are under way; try again", busy: true };
/** A JWT has three parts (RFC 7515 section 3.1); the secret of a key has no dot. */
const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export class BrokerAuthenticator implements Authenticator {
  readonly methods: readonly string[];
  readonly #parts: AuthenticatorParts;
  #underWay = 0;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.methods = parts.scram === undefined || parts.anonymous !== undefined ? [] : scramMethods;
  }

  /** Checks under way now. */
  get underWay(): number {
    return this.#underWay;
  }

  authenticate(
    username: string | undefined,
    password: Uint8Array | undefined,
    presented: Presented,
  ): Verdict | Promise<Verdict> {
    const { anonymous, tokens, now } = this.#parts;
    if (anonymous !== undefined) return { principal: anonymous, keyId: "", method: "none" };
    const early = this.#throttled(presented) ?? this.#badCertificate(presented);
    if (early !== undefined) return early;
    if (username === undefined && password === undefined) return this.#byCertificate(presented);
    const secret = Buffer.from(password ?? []).toString("utf8");
    if (tokens === undefined || !tokenForm.test(secret)) {
      return this.#judged(this.#parts.keys(username ?? "", secret) ?? { refused: needed }, "key", presented);
    }
    return this.#underWayed(() => tokens.verify(secret, now()), "jwt", presented);
  }

  begin(method: string, presented: Presented): Exchange | Refused {
    const { anonymous, scram } = this.#parts;
    if (anonymous !== undefined || scram === undefined) return { refused: "no authentication method is served" };
    const early = this.#throttled(presented) ?? this.#badCertificate(presented);
    return (
      early ??
      scram.begin(method, presented, (principal) =>
        this.#failed("scram", presented, { ...(principal !== undefined && { principal }) }),
      )
    );
  }

  /** An address that has failed too often: nothing is looked at, so that a right guess cannot be told from a wrong one. */
  #throttled({ address }: Presented): Refused | undefined {
    const { throttle, monotonic } = this.#parts;
    const retryAfterMs = throttle.retryAfterMs(address, monotonic());
    return retryAfterMs === 0 ? undefined : { refused: "too many failures; try again later", retryAfterMs };
  }

  /** One that does not verify, or was revoked, refuses whatever else is shown: its owner believes to be known by it. */
  #badCertificate(presented: Presented): Refused | undefined {
    const { certificate } = presented;
    if (certificate === undefined) return undefined;
    const refused = this.#parts.certificates?.refusal(certificate);
    if (refused !== undefined) this.#failed("certificate", presented, { reason: refused.refused });
    return refused;
  }

  #byCertificate(presented: Presented): Verdict {
    const { certificates } = this.#parts;
    const { certificate } = presented;
    if (certificates === undefined || certificate === undefined) {
      return this.#judged({ refused: needed }, "none", presented);
    }
    return this.#judged(certificates.identify(certificate), "certificate", presented);
  }

  async #underWayed(
    check: () => Promise<Verdict>,
    method: AuthenticationMethod,
    presented: Presented,
  ): Promise<Verdict> {
    if (this.#underWay >= this.#parts.checksMax) {
      this.#parts.audit("limit.hit", { limit: "authenticationsMax", address: presented.address });
      return busy;
    }
    this.#underWay++;
    try {
      return this.#judged(await check(), method, presented);
    } finally {
      this.#underWay--;
    }
  }

  #judged(verdict: Verdict, method: AuthenticationMethod, presented: Presented): Verdict {
    if (isRefused(verdict) && verdict.busy !== true) {
      this.#failed(method, presented, verdict.isCertificate === true ? { reason: verdict.refused } : {});
    }
    return verdict;
  }

  /**
   * Nothing of what was sent, but a name that somebody has: people paste secrets into the wrong field, and logs keep
   * them for ever.
   */
  #failed(
    method: AuthenticationMethod,
    { address, kind = "" }: Presented,
    more: Readonly<Record<string, string>> = {},
  ): void {
    const { throttle, monotonic, audit } = this.#parts;
    throttle.failed(address, monotonic());
    audit("auth.fail", { method, address, transport: kind, ...more });
  }
}
