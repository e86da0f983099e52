import { expect, test } from "vitest";
import { type AuthenticatorParts, BrokerAuthenticator } from "./authenticator.ts";
import { CredentialThrottle } from "./identity/credential-throttle.ts";
import type { Identity, PresentedCertificate, Verdict } from "./model/authentication.ts";
import { ScramLogin } from "./scram-login.ts";

const peer = { address: "192.0.2.1", kind: "tls" };
const certificate: PresentedCertificate = {
  verified: true,
  problem: "",
  names: ["uri:x"],
  serial: "01",
  authority: "own",
  issuer: "",
  expiresAt: 9,
};
const alice: Identity = { principal: "alice", keyId: "k_1", method: "key" };

function open(parts: Partial<AuthenticatorParts> = {}): {
  authenticator: BrokerAuthenticator;
  audited: string[];
  clock: { now: number };
} {
  const audited: string[] = [];
  const clock = { now: 0 };
  const authenticator = new BrokerAuthenticator({
    throttle: new CredentialThrottle({ failuresPerMinute: 2, addressesMax: 9 }),
    monotonic: () => clock.now,
    now: () => 1_000 + clock.now,
    keys: (id, secret) => (id === "k_1" && secret === "right" ? alice : undefined),
    scram: new ScramLogin({
      passwords: new Map(),
      secret: new Uint8Array(32),
      random: { bytes: (n) => new Uint8Array(n) },
    }),
    checksMax: 1,
    audit: (event, detail) =>
      audited.push([event, ...Object.values(detail).filter((word) => word !== peer.address)].join(" ")),
    ...parts,
  });
  return { authenticator, audited, clock };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

test("a key is known at once; two failures of an address, and nothing is looked at until the minute is over", () => {
  const { authenticator, audited, clock } = open();
  expect(authenticator.authenticate("k_1", bytes("right"), peer)).toEqual(alice);
  for (const wrong of ["a", "b"]) {
    expect(authenticator.authenticate("k_1", bytes(wrong), peer)).toHaveProperty("refused");
  }
  expect(authenticator.authenticate("k_1", bytes("right"), peer)).toMatchObject({ retryAfterMs: 30_000 });
  expect(authenticator.begin("SCRAM-SHA-256", peer)).toMatchObject({ retryAfterMs: 30_000 });
  expect(authenticator.authenticate("k_1", bytes("right"), { address: "192.0.2.2" })).toEqual(alice);
  expect(audited).toEqual(["auth.fail key tls", "auth.fail key tls"]);
  clock.now = 60_000;
  expect(authenticator.authenticate("k_1", bytes("right"), peer)).toEqual(alice);
});

test("what looks like a JWT goes to its verifier, so many at a time, and the rest hears that it is busy", async () => {
  const waiting: ((verdict: Verdict) => void)[] = [];
  const seen: [string, number][] = [];
  const verify = (token: string, now: number): Promise<Verdict> => {
    seen.push([token, now]);
    return new Promise((resolve) => waiting.push(resolve));
  };
  const { authenticator, audited } = open({ tokens: { verify } });
  const first = authenticator.authenticate("anything", bytes("a.b.c"), peer);
  expect(await authenticator.authenticate(undefined, bytes("a.b.c"), peer)).toMatchObject({ busy: true });
  expect([seen, authenticator.underWay]).toEqual([[["a.b.c", 1_000]], 1]);
  const bob: Verdict = { principal: "bob", keyId: "jwt:x:1", method: "jwt", expiresAt: 5 };
  waiting[0]?.(bob);
  expect([await first, authenticator.underWay, audited.splice(0)]).toEqual([bob, 0, ["limit.hit authenticationsMax"]]);
  const second = authenticator.authenticate(undefined, bytes("a.b.c"), peer);
  waiting[1]?.({ refused: "expired" });
  expect([await second, audited]).toEqual([{ refused: "expired" }, ["auth.fail jwt tls"]]);
  const third = authenticator.authenticate(undefined, bytes("a.b.c"), peer);
  waiting[2]?.({ refused: "its issuer does not answer", busy: true });
  expect([await third, audited.length]).toEqual([{ refused: "its issuer does not answer", busy: true }, 1]);
  expect(authenticator.authenticate("k_1", bytes("right"), peer)).toEqual(alice);
});

test("a certificate counts where nothing else is shown; one that does not verify refuses whatever else is shown", () => {
  const carol: Verdict = { principal: "carol", keyId: "cert:01", method: "certificate", expiresAt: 9 };
  const { authenticator, audited } = open({
    certificates: {
      identify: () => carol,
      refusal: ({ verified, problem }) => (verified ? undefined : { refused: problem, isCertificate: true }),
    },
  });
  expect(authenticator.authenticate(undefined, undefined, { ...peer, certificate })).toEqual(carol);
  expect(authenticator.authenticate("k_1", bytes("right"), { ...peer, certificate })).toEqual(alice);
  const expired = { ...peer, certificate: { ...certificate, verified: false, problem: "it has expired" } };
  const refused = { refused: "it has expired", isCertificate: true };
  expect(authenticator.authenticate("k_1", bytes("right"), expired)).toEqual(refused);
  expect(authenticator.begin("SCRAM-SHA-256", expired)).toEqual(refused);
  expect(audited).toEqual(["auth.fail certificate tls it has expired", "auth.fail certificate tls it has expired"]);
});

test("without a credential nobody is let in, but in insecure development mode everybody is", () => {
  const { authenticator, audited } = open();
  expect(authenticator.authenticate(undefined, undefined, peer)).toHaveProperty("refused");
  expect(audited).toEqual(["auth.fail none tls"]);
  expect(open({ anonymous: "dev" }).authenticator.begin("SCRAM-SHA-256", peer)).toHaveProperty("refused");
  expect(open({ anonymous: "dev" }).authenticator.authenticate(undefined, undefined, peer)).toEqual({
    principal: "dev",
    keyId: "",
    method: "none",
  });
});

test("a login by password that fails counts as any other failure", async () => {
  const { authenticator, audited } = open();
  const exchange = authenticator.begin("SCRAM-SHA-256", peer);
  if (!("next" in exchange)) throw new Error("not begun");
  expect(await exchange.next(bytes("no SCRAM"))).toHaveProperty("refused");
  await authenticator.authenticate("k_1", bytes("wrong"), peer);
  expect(authenticator.begin("SCRAM-SHA-256", peer)).toHaveProperty("retryAfterMs");
  expect(audited).toEqual(["auth.fail scram tls", "auth.fail key tls"]);
});
