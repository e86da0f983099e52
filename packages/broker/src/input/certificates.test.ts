import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SecretBox } from "../model/journal.ts";
import { certificateNames } from "./certificate-names.ts";
import { managedCertificate, ownCertificate, type ServerCertificate } from "./certificates.ts";
import { temporaryDirectory, testBox } from "./input.test-data.ts";
import { issueAuthority, issueServer } from "./issue-certificate.ts";

const DAY = 86_400_000;
const now = Date.now();
const names = ["localhost", "127.0.0.1", "::1", "broker.example"];
let directory: ReturnType<typeof temporaryDirectory>;
let box: SecretBox;

beforeEach(() => {
  directory = temporaryDirectory();
  box = testBox();
});
afterEach(() => directory.remove());

function load(change: { names?: string[]; now?: number; box?: SecretBox } = {}): Promise<ServerCertificate> {
  return managedCertificate({ directory: directory.path, box, names, now, ...change });
}

function file(name: string): string {
  return join(directory.path, name);
}

describe("managedCertificate", () => {
  it("is a chain with the authority, when made and when kept", async () => {
    for (const { certificate } of [await load(), await load()]) {
      const chain = certificate.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
      expect(chain.join("")).toBe(certificate);
      const [server = "", authority = ""] = chain.map((pem) => new X509Certificate(pem).fingerprint256);
      expect(chain).toHaveLength(2);
      expect(server).toBe(new X509Certificate(readFileSync(file("server.pem"))).fingerprint256);
      expect(authority).toBe(new X509Certificate(readFileSync(file("ca.pem"))).fingerprint256);
    }
  });

  it("makes an authority and a server certificate at first start, and keeps them", async () => {
    const umask = process.umask(0);
    const first = await load().finally(() => process.umask(umask));
    expect(readdirSync(directory.path).sort()).toEqual(["ca.key.sealed", "ca.pem", "server.key.sealed", "server.pem"]);
    for (const name of readdirSync(directory.path)) expect(statSync(file(name)).mode & 0o777).toBe(0o600);
    expect(first.notes).toHaveLength(2);

    const authority = new X509Certificate(readFileSync(file("ca.pem")));
    const server = new X509Certificate(first.certificate);
    expect(authority.ca).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.checkIssued(authority)).toBe(true);
    expect(server.verify(authority.publicKey)).toBe(true);
    expect(server.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(server.checkPrivateKey(createPrivateKey(first.key))).toBe(true);
    for (const name of ["localhost", "broker.example"]) expect(server.checkHost(name)).toBe(name);
    for (const address of ["127.0.0.1", "::1"]) expect(server.checkIP(address)).toBe(address);
    expect(Math.round((Date.parse(server.validTo) - now) / DAY)).toBe(90);
    expect(Math.round((Date.parse(authority.validTo) - now) / DAY)).toBe(3_650);

    const second = await load();
    expect(second).toEqual({ ...first, notes: [] });
  });

  it("keeps no private key in the clear", async () => {
    const { key } = await load();
    const der = createPrivateKey(key).export({ format: "der", type: "pkcs8" });
    // The last bytes of a P-256 PKCS #8 key are its public point; the secret scalar stands before.
    const scalar = der.subarray(36, 68);
    for (const name of readdirSync(directory.path)) {
      const bytes = readFileSync(file(name));
      expect(bytes.includes(scalar)).toBe(false);
      expect(bytes.includes("PRIVATE KEY")).toBe(false);
    }
  });

  it.each([
    ["fewer than 30 days remain", { now: now + 61 * DAY }, /expires on/],
    ["a name was added", { names: [...names, "10.0.0.7"] }, /names have changed/],
    ["a name went", { names: names.slice(0, 3) }, /names have changed/],
  ])("renews the server certificate when %s, on the same authority", async (_, change, why) => {
    await load();
    const authority = readFileSync(file("ca.pem"), "utf8");
    const before = readFileSync(file("server.pem"), "utf8");
    const renewed = await load(change);
    expect(renewed.notes).toHaveLength(1);
    expect(renewed.notes[0]).toMatch(why);
    expect(renewed.certificate).not.toBe(before);
    expect(readFileSync(file("ca.pem"), "utf8")).toBe(authority);
    expect((await load(change)).notes).toEqual([]);
  });

  it("does not renew on the 59th day", async () => {
    await load();
    expect((await load({ now: now + 59 * DAY })).notes).toEqual([]);
  });

  it.each(["server.pem", "server.key.sealed"])(
    "makes a new server certificate when %s is damaged or gone",
    async (name) => {
      await load();
      const bytes = readFileSync(file(name));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      writeFileSync(file(name), bytes);
      expect((await load()).notes).toHaveLength(1);
      rmSync(file(name));
      expect((await load()).notes).toHaveLength(1);
      expect((await load()).notes).toEqual([]);
    },
  );

  it("makes a new server certificate when a crash left the key of another", async () => {
    const first = await load();
    const other = await issueServer({
      authority: await issueAuthority({ commonName: "other", now, days: 1 }),
      names,
      now,
      days: 90,
    });
    writeFileSync(file("server.key.sealed"), box.seal(other.key, "tls-server-key"));
    const second = await load();
    expect(second.notes[0]).toMatch(/does not fit its key/);
    expect(second.certificate).not.toBe(first.certificate);
  });

  it("never replaces an authority by itself", async () => {
    await load();
    await expect(load({ box: testBox() })).rejects.toThrow(/ca\.key\.sealed cannot be opened/);
    await expect(load({ now: now + 3_651 * DAY })).rejects.toThrow(/ca\.pem expired/);
    const sealed = readFileSync(file("ca.key.sealed"));
    rmSync(file("ca.key.sealed"));
    await expect(load()).rejects.toThrow(/ca\.key\.sealed is missing, but ca\.pem is there/);
    const other = await issueAuthority({ commonName: "other", now, days: 10 });
    writeFileSync(file("ca.key.sealed"), box.seal(other.key, "tls-authority-key"));
    await expect(load()).rejects.toThrow(/is not the key of ca\.pem/);
    writeFileSync(file("ca.key.sealed"), sealed);
    writeFileSync(file("ca.pem"), "garbage");
    await expect(load()).rejects.toThrow(/ca\.pem holds no certificate/);
    expect(readFileSync(file("ca.pem"), "utf8")).toBe("garbage");
  });

  it("does not take a server key for an authority key", async () => {
    await load();
    writeFileSync(file("ca.key.sealed"), readFileSync(file("server.key.sealed")));
    await expect(load()).rejects.toThrow(/cannot be opened/);
  });

  it("replaces what a crash left half written, and follows no symbolic link", async () => {
    writeFileSync(file("server.pem.new"), "half");
    await load();
    expect(readdirSync(directory.path)).not.toContain("server.pem.new");
    renameSync(file("ca.key.sealed"), file("elsewhere"));
    symlinkSync(file("elsewhere"), file("ca.key.sealed"));
    await expect(load()).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringMatching(/is a symbolic link/) as string,
    });
  });

  it("says which file it could not write", async () => {
    rmSync(directory.path, { recursive: true });
    await expect(load()).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringMatching(/cannot write .*ca\.key\.sealed: ENOENT/) as string,
    });
    mkdirSync(directory.path);
  });

  it("warns before the authority expires, and does not outlive it", async () => {
    await load();
    const late = await load({ now: now + 3_600 * DAY });
    expect(late.notes[0]).toMatch(/authority ca\.pem expires on/);
    expect(late.expiresAt).toBe(Date.parse(new X509Certificate(readFileSync(file("ca.pem"))).validTo));
  });
});

describe("ownCertificate", () => {
  async function issue(days: number, at: number = now): Promise<{ cert: string; key: string }> {
    const authority = await issueAuthority({ commonName: "own", now: at, days: 4_000 });
    const issued = await issueServer({ authority, names: ["localhost"], now: at, days });
    const key = createPrivateKey({ key: Buffer.from(issued.key), format: "der", type: "pkcs8" });
    const suffix = randomBytes(4).toString("hex");
    const paths = { cert: file(`cert-${suffix}.pem`), key: file(`key-${suffix}.pem`) };
    writeFileSync(paths.cert, issued.certificate);
    writeFileSync(paths.key, key.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    return paths;
  }

  it("takes a good one", async () => {
    const { cert, key } = await issue(60);
    const own = await ownCertificate(cert, key, now);
    expect(own.certificate).toBe(readFileSync(cert, "utf8"));
    expect(own.notes).toEqual([]);
    expect((await ownCertificate(cert, key, now + 40 * DAY)).notes[0]).toMatch(/expires in 20 days|expires in 19 days/);
  });

  it("warns of a key that others can read", async () => {
    const { cert, key } = await issue(60);
    chmodSync(key, 0o644);
    expect((await ownCertificate(cert, key, now)).notes[0]).toMatch(/is open to other users of this machine/);
  });

  it("refuses a bad one and says why", async () => {
    const { cert, key } = await issue(60);
    const other = await issue(60);
    await expect(ownCertificate(cert, other.key, now)).rejects.toThrow(/is not the key of/);
    await expect(ownCertificate(cert, key, now + 61 * DAY)).rejects.toThrow(/expired on/);
    await expect(ownCertificate(cert, key, now - 2 * DAY)).rejects.toThrow(/is not valid before/);
    await expect(ownCertificate(file("none.pem"), key, now)).rejects.toThrow(
      /--tls-cert: cannot read .*none\.pem \(ENOENT\)/,
    );
    await expect(ownCertificate(cert, file("none.pem"), now)).rejects.toThrow(/--tls-key: cannot read/);
    await expect(ownCertificate(key, key, now)).rejects.toThrow(/holds no certificate in PEM form/);
    await expect(ownCertificate(cert, cert, now)).rejects.toThrow(/holds no private key in PEM form/);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(
      file("locked.pem"),
      privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "words" }),
    );
    await expect(ownCertificate(cert, file("locked.pem"), now)).rejects.toThrow(/protected by a passphrase/);
  });
});

describe("certificateNames", () => {
  it("names localhost, this machine and what is given, once and in lower case", () => {
    const all = certificateNames(["Broker.Example", "10.1.2.3", "[2001:DB8::1]", "localhost", "*.iot.example"]);
    for (const name of [
      "localhost",
      "127.0.0.1",
      "::1",
      "broker.example",
      "10.1.2.3",
      "2001:db8::1",
      "*.iot.example",
    ]) {
      expect(all).toContain(name);
    }
    expect(new Set(all).size).toBe(all.length);
  });

  it.each(["", "a b", "a..b", "-a", "a\nb", "https://a", `${"a".repeat(64)}.b`])("refuses %j", (name) => {
    expect(() => certificateNames([name])).toThrow(/is neither a DNS name nor an IP address/);
  });
});
