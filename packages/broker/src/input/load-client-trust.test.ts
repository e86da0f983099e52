import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makeAuthority, makeClient, makeList, type TestAuthority } from "./certificates.test-data.ts";
import { temporaryDirectory, testBox } from "./input.test-data.ts";
import { type LoadedClientTrust, loadClientTrust } from "./load-client-trust.ts";
import { clientAuthority, type ManagedAuthority, managedAuthority } from "./managed-authority.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

const DAY = 86_400_000;
const directory = temporaryDirectory();
const box = testBox();
const file = (name: string): string => join(directory.path, name);
let authority: IssuedCertificate;
let foreign: TestAuthority;

beforeAll(async () => {
  authority = (await managedAuthority(clientAuthority, { directory: directory.path, box, now: Date.now() })).authority;
  foreign = await makeAuthority("foreign");
  writeFileSync(file("foreign.pem"), foreign.pem);
});
afterAll(() => directory.remove());

function load(authorities: string, lists?: string, now = Date.now()): Promise<LoadedClientTrust> {
  writeFileSync(file("a.pem"), authorities);
  if (lists !== undefined) writeFileSync(file("l.pem"), lists);
  const listsFile = lists === undefined ? undefined : file("l.pem");
  return loadClientTrust({ authority, authoritiesFile: file("a.pem"), listsFile, now });
}

describe("loadClientTrust", () => {
  it("takes several authorities with text between them, and several lists of either label", async () => {
    const other = await makeAuthority("other");
    const lists = [await makeList(foreign, ["0a"]), await makeList(other, ["0b"], { label: "library" })];
    const { trust, notes } = await load(
      `# ours\n${foreign.pem}subject=CN=other\n${other.pem}`,
      lists.join("some text\n"),
    );
    expect(notes).toEqual([]);
    const { ca, crl } = trust.tlsOptions;
    // The third list is for our own authority: with any list OpenSSL wants one of each.
    expect([(ca as string[]).length, (crl as string[]).length]).toEqual([3, 3]);
    expect(() => createSecureContext(trust.tlsOptions)).not.toThrow();
  });

  it("takes a list in DER form", async () => {
    const der = Buffer.from((await makeList(foreign, ["0a"])).replace(/-----[^-]+-----/g, ""), "base64");
    writeFileSync(file("l.der"), der);
    const options = { authority, authoritiesFile: file("foreign.pem"), listsFile: file("l.der"), now: Date.now() };
    expect((await loadClientTrust(options)).trust.tlsOptions.crl).toHaveLength(2);
  });

  it("never leaves the authorities to Node's own list, which is that of the public Web", async () => {
    const { trust } = await loadClientTrust({ authority, now: Date.now() });
    expect(trust.tlsOptions).toMatchObject({
      ca: [authority.certificate],
      requestCert: true,
      rejectUnauthorized: false,
    });
  });

  it("tells of what has expired, and goes on", async () => {
    const late = await load(foreign.pem, await makeList(foreign, []), Date.now() + 1_000 * DAY);
    expect(late.notes).toEqual([
      expect.stringMatching(/authority CN=foreign expired/),
      expect.stringMatching(/was to be renewed by .*refused/),
    ]);
  });

  it.each<[string, () => Promise<[string, string?]>, RegExp]>([
    ["no certificate", async () => ["rubbish"], /--client-ca: .*no certificate in PEM form/],
    ["a damaged one", async () => [foreign.pem.replace(/M/g, "A")], /certificate 1 of .* is damaged/],
    [
      "one that is no authority's",
      async () => [foreign.pem + (await makeClient(foreign)).cert],
      /certificate 2 .*not an auth/,
    ],
    ["too many", async () => [foreign.pem.repeat(101)], /more than 100/],
    ["no list", async () => [foreign.pem, "rubbish"], /--client-crl: .*no revocation list/],
    ["a damaged list", async () => [foreign.pem, (await makeList(foreign, [])).replace("M", "A")], /list 1 .*damaged/],
  ])("refuses %s, and says which file", async (_, make, message) => {
    const [authorities, lists] = await make();
    await expect(load(authorities, lists)).rejects.toMatchObject({ name: "CertificateError", exitCode: 78, message });
  });

  it("refuses files that are not there", async () => {
    const missing = { authority, authoritiesFile: file("none"), now: Date.now() };
    await expect(loadClientTrust(missing)).rejects.toThrow(/--client-ca: cannot read .*none \(ENOENT\)/);
  });
});

describe("the client authority of a data directory", () => {
  const own = temporaryDirectory();
  const at = (now = Date.now()): Promise<ManagedAuthority> =>
    managedAuthority(clientAuthority, { directory: own.path, box, now });
  afterAll(() => own.remove());
  afterEach(() => {
    for (const name of readdirSync(own.path)) rmSync(join(own.path, name));
  });

  it("is made once, with its key sealed, and kept", async () => {
    const made = await at();
    expect(made.notes).toEqual([expect.stringContaining("mess cert issue")]);
    expect(readdirSync(own.path).sort()).toEqual(["client-ca.key.sealed", "client-ca.pem"]);
    for (const name of readdirSync(own.path)) {
      expect(statSync(join(own.path, name)).mode & 0o777).toBe(0o600);
      const bytes = readFileSync(join(own.path, name));
      expect(bytes.includes(Buffer.from(made.authority.key).subarray(36, 68))).toBe(false);
    }
    expect(await at()).toMatchObject({ authority: { certificate: made.authority.certificate }, notes: [] });
  });

  it("does not take the key of the server's authority, although it is sealed as well", async () => {
    const purpose = "tls-authority-key";
    const { authority: one } = await at();
    writeFileSync(join(own.path, "client-ca.key.sealed"), box.seal(one.key, purpose));
    await expect(at()).rejects.toThrow(/cannot be opened/);
  });

  it("is not made anew over one that has lost its key", async () => {
    await at();
    rmSync(join(own.path, "client-ca.key.sealed"));
    await expect(at()).rejects.toThrow(/client-ca\.key\.sealed is missing.*useless/s);
  });

  it("does not keep the server from starting when it has expired, and says so", async () => {
    await at();
    const late = await at(Date.now() + 4_000 * DAY);
    expect(late.notes).toEqual([expect.stringMatching(/client-ca\.pem expires on .*remove client-ca\.pem/)]);
    expect((await at(Date.now())).notes).toEqual([]);
  });
});
