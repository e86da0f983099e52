import { describe, expect, it } from "vitest";
import type { PresentedCertificate } from "../model/authentication.ts";
import {
  certificateId,
  certificateIdentity,
  certificateRefusal,
  type KnownCertificates,
  principalUri,
} from "./certificate-identity.ts";

const known: KnownCertificates = {
  issuedTo: (serial) => (serial === "0A" ? "alice" : undefined),
  principalOf: (name) =>
    new Map([
      ["dns:a.example", "alice"],
      ["uri:spiffe://x/b", "bob"],
    ]).get(name),
};

function certificate(change: Partial<PresentedCertificate>): PresentedCertificate {
  return {
    verified: true,
    problem: "",
    names: [],
    serial: "0A",
    issuer: "ABCDEF".repeat(10),
    authority: "foreign",
    expiresAt: 1_000,
    ...change,
  };
}

const identify = (change: Partial<PresentedCertificate>): unknown =>
  certificateIdentity(certificate(change), known, 500);

describe("certificateIdentity", () => {
  it("is the principal that an own certificate was issued to", () => {
    expect(identify({ authority: "own", names: [principalUri("alice")] })).toEqual({
      principal: "alice",
      keyId: "cert:0A",
      method: "certificate",
      expiresAt: 1_000,
    });
  });

  it("is the principal whose names a foreign certificate bears", () => {
    expect(identify({ names: ["dns:other.example", "dns:a.example"] })).toMatchObject({
      principal: "alice",
      keyId: "cert:0A@ABCDEFABCDEFABCD",
    });
  });

  it.each<[string, Partial<PresentedCertificate>, RegExp]>([
    ["none of whose names is known", { names: ["dns:c.example"] }, /none/],
    ["that has no names", {}, /none/],
    ["with another spelling of a name", { names: ["dns:A.example"] }, /none/],
    ["with a name as another kind", { names: ["uri:a.example"] }, /none/],
    ["with names of two principals", { names: ["dns:a.example", "uri:spiffe://x/b"] }, /several/],
    ["of a foreign authority with a name of ours", { names: [principalUri("alice")] }, /none/],
    ["of ours that was revoked", { authority: "own", serial: "0B", names: [principalUri("alice")] }, /revoked/],
    [
      "of ours with a name that the policy lists",
      { authority: "own", serial: "0B", names: ["dns:a.example"] },
      /revoked/,
    ],
    ["of ours that names another", { authority: "own", names: [principalUri("bob")] }, /another/],
    ["that did not verify", { verified: false, problem: "it is odd", names: ["dns:a.example"] }, /it is odd/],
    ["that has expired since", { expiresAt: 500, names: ["dns:a.example"] }, /expired/],
  ])("refuses a certificate %s", (_, change, refused) => {
    expect(identify(change)).toEqual({ refused: expect.stringMatching(refused), isCertificate: true });
  });
});

describe("certificateRefusal", () => {
  it("lets a good certificate that stands for nobody pass, beside another credential", () => {
    expect(certificateRefusal(certificate({ names: ["dns:c.example"] }), known, 500)).toBeUndefined();
    expect(certificateRefusal(certificate({ authority: "own", serial: "0B" }), known, 500)).toHaveProperty("refused");
  });
});

describe("certificateId", () => {
  it("tells serial numbers of one authority from those of another", () => {
    const own = certificateId(certificate({ authority: "own" }));
    expect(certificateId(certificate({}))).not.toBe(own);
    expect(certificateId(certificate({ issuer: "1".repeat(64) }))).not.toBe(certificateId(certificate({})));
  });
});
