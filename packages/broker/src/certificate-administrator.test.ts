import { X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import type { CertificateAdministrator } from "./certificate-administrator.ts";
import { PRINCIPAL_URI_PREFIX } from "./identity/certificate-identity.ts";
import { readCertificate } from "./identity/read-certificate.ts";
import { readRevocationList } from "./identity/read-revocation-list.ts";
import { newCertificateRequest } from "./input/certificate-request.ts";
import { issueAuthority } from "./input/issue-certificate.ts";
import type { PresentedCertificate } from "./model/authentication.ts";
import type { NewCertificate } from "./model/certificate-administration.ts";
import type { Policy } from "./model/policy.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const authority = await issueAuthority({ commonName: "test", now: Date.now(), days: 10 });
const { request } = await newCertificateRequest();
const policy: Policy = {
  roles: {
    device: { allow: [{ action: "publish", filter: "devices/{principal}/#" }], deny: [] },
    keeper: {
      allow: [
        { action: "admin.keys", filter: "#" },
        { action: "publish", filter: "devices/#" },
      ],
      deny: [],
    },
  },
  principals: {
    "sensor 1": { roles: ["device"] },
    keeper: { roles: ["keeper"] },
    boss: { roles: ["admin"] },
    fleet: { roles: ["device"], certificates: ["dns:device-1.example", "uri:spiffe://x/2"] },
  },
};
let bench: Workbench;
let certificates: CertificateAdministrator;

beforeEach(async () => {
  bench = await Workbench.open({ policy, limits: { certificatesMax: 3 }, clientAuthority: authority });
  ({ certificates } = bench.administrator);
});
afterEach(() => bench.close());

function issue(principal = "sensor 1", by = "boss", days = 5): Promise<NewCertificate> {
  return certificates.issueCertificate(by, { principal, request, days });
}

/** As a transport gives it. */
function presented(pem: string, change: Partial<PresentedCertificate> = {}): PresentedCertificate {
  const parsed = readCertificate(new X509Certificate(pem).raw);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const { names, serial, issuer, notAfter } = parsed;
  return { verified: true, problem: "", names, serial, issuer, authority: "own", expiresAt: notAfter, ...change };
}

const foreign: PresentedCertificate = {
  verified: true,
  problem: "",
  names: ["dns:device-1.example"],
  serial: "0F",
  issuer: "AB".repeat(32),
  authority: "foreign",
  expiresAt: Date.now() + DAY,
};

describe("issuing", () => {
  it("makes a certificate of the authority for the principal, and for clients alone", async () => {
    const made = await issue();
    const certificate = new X509Certificate(made.certificate);
    expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    expect(certificate.serialNumber).toBe(made.serial);
    expect(certificate.subjectAltName).toBe("URI:urn:mess:principal:sensor%201");
    expect(certificate.ca).toBe(false);
    // Extended usage: clientAuth (1.3.6.1.5.5.7.3.2) and nothing else.
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(Math.round((made.expiresAt - Date.now()) / DAY)).toBe(5);
    expect(made.authority).toBe(authority.certificate);
    expect(certificates.listCertificates()).toMatchObject([{ serial: made.serial, principal: "sensor 1", by: "boss" }]);
    expect(bench.events("certificate.issued")).toMatchObject([
      { serial: made.serial, principal: "sensor 1", by: "boss" },
    ]);
  });

  it("makes none that outlives the authority", async () => {
    const { expiresAt } = await issue("sensor 1", "boss", 800);
    expect(expiresAt).toBe(Date.parse(new X509Certificate(authority.certificate).validTo));
  });

  it.each([
    ["a principal that the policy does not know", "nobody", "boss", "invalid"],
    ["a name that every object has", "constructor", "boss", "invalid"],
    ["somebody with rights that the issuer lacks", "boss", "keeper", "forbidden"],
    ["the administrator, by a keeper", "admin", "keeper", "forbidden"],
    ["anybody, by a token", "sensor 1", "boss~k_aaaaaaaaaaaaaaaa", "forbidden"],
  ] as const)("is refused for %s", async (_, principal, by, code) => {
    expect(await codeOf(issue(principal, by))).toBe(code);
    expect(certificates.listCertificates()).toEqual([]);
    expect(bench.events("admin.refused")).toMatchObject([{ act: "certificate.issue", code }]);
  });

  it("is open to whoever has the rights that the certificate gives", async () => {
    expect(await codeOf(issue("sensor 1", "keeper"))).toBe("done");
  });

  it.each([
    ["", /PKCS #10/],
    ["-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", /cannot be read/],
    [
      request.replace(/^(.{200})(.)/s, (_, head: string, one: string) => head + (one === "A" ? "B" : "A")),
      /read|signed/,
    ],
    [`${request}${" ".repeat(17_000)}`, /at most/],
  ])("is refused for a request that is not one (%#)", async (text, message) => {
    const act = certificates.issueCertificate("boss", { principal: "sensor 1", request: text, days: 1 });
    await expect(act).rejects.toThrow(message);
  });

  it("is refused when the principal or the right is gone by the time it is signed", async () => {
    const { "sensor 1": _, ...principals } = policy.principals;
    const issuing = codeOf(issue());
    await bench.administrator.applyPolicy("boss", { ...policy, principals }, false);
    expect(await issuing).toBe("invalid");
    expect(certificates.listCertificates()).toEqual([]);
  });

  it("is bounded", async () => {
    for (let count = 0; count < 3; count++) await issue();
    expect(await codeOf(issue())).toBe("conflict");
    expect(bench.events("limit.hit")).toMatchObject([{ limit: "certificatesMax" }]);
  });

  it("needs TLS", async () => {
    const plain = await Workbench.open({ policy });
    const act = plain.administrator.certificates.issueCertificate("boss", { principal: "fleet", request, days: 1 });
    expect(await codeOf(act)).toBe("conflict");
    await plain.close();
  });
});

describe("who a certificate stands for", () => {
  it("is the principal it was issued to, until it is revoked, over restarts", async () => {
    const made = await issue();
    const shown = presented(made.certificate);
    const identity = { principal: "sensor 1", keyId: `cert:${made.serial}`, method: "certificate" };
    expect(certificates.identify(shown)).toMatchObject(identity);
    await bench.restart();
    ({ certificates } = bench.administrator);
    expect(certificates.identify(shown)).toMatchObject(identity);
    await certificates.revokeCertificate("boss", made.serial);
    expect(certificates.identify(shown)).toHaveProperty("refused");
    expect(certificates.refusal(shown)).toHaveProperty("refused");
    await bench.restart();
    ({ certificates } = bench.administrator);
    expect(certificates.refusal(shown)).toHaveProperty("refused");
    expect(await codeOf(certificates.revokeCertificate("boss", made.serial))).toBe("done");
    expect(await codeOf(certificates.revokeCertificate("boss", "00"))).toBe("not-found");
  });

  it("is nobody for one that the authority signed and this journal does not know", async () => {
    const made = await issue();
    const shown = presented(made.certificate, { serial: "0123" });
    expect(certificates.identify(shown)).toMatchObject({
      refused: expect.stringContaining("not one that this broker"),
    });
  });

  it("is nobody for a foreign one with the name of ours", () => {
    expect(certificates.identify({ ...foreign, names: [`${PRINCIPAL_URI_PREFIX}admin`] })).toHaveProperty("refused");
  });

  it("is for foreign ones what the policy says now", async () => {
    expect(certificates.identify(foreign)).toMatchObject({ principal: "fleet" });
    const { fleet: _, ...principals } = policy.principals;
    await bench.administrator.applyPolicy("boss", { ...policy, principals }, false);
    expect(certificates.identify(foreign)).toHaveProperty("refused");
  });

  it("is judged again when the policy or a revocation list changes, and links end", async () => {
    const kept = { ...foreign, serial: "0E", names: ["uri:spiffe://x/2"] };
    certificates.identify(foreign);
    certificates.identify(kept);
    const fleet = { roles: ["device"], certificates: ["uri:spiffe://x/2"] };
    await bench.administrator.applyPolicy("boss", { ...policy, principals: { ...policy.principals, fleet } }, false);
    expect(bench.events("certificate.revoked")).toEqual([{ id: `cert:0F@${"AB".repeat(8)}`, by: "boss" }]);
    certificates.checkAgain("mess", { isRevoked: (_, serial) => serial === "0E", hasLostAuthority: false });
    expect(bench.events("certificate.revoked")).toHaveLength(2);
    certificates.checkAgain("mess", { isRevoked: () => true, hasLostAuthority: true });
    expect(bench.events("certificate.revoked")).toHaveLength(2);
  });
});

describe("the revocation list", () => {
  it("names what was revoked, signed by the authority", async () => {
    const [one, two] = [await issue(), await issue()];
    await certificates.revokeCertificate("boss", one.serial);
    const pem = await certificates.revocationList();
    const list = readRevocationList(Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64"));
    expect(list?.serials).toEqual(new Set([one.serial]));
    expect(list?.issuer).toBe(presented(two.certificate).issuer);
    expect(list?.nextUpdate).toBeGreaterThan(Date.now() + 6 * DAY);
  });
});
