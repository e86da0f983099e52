import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeAuthority, makeClient, makeList, type TestCertificate } from "../input/certificates.test-data.ts";
import { readCertificate } from "./read-certificate.ts";
import { readRevocationList } from "./read-revocation-list.ts";

const authority = await makeAuthority("authority");

async function read(made: TestCertificate): Promise<ReturnType<typeof readCertificate>> {
  return readCertificate(new X509Certificate((await makeClient(authority, made)).cert).raw);
}

/** A list of alternative names as it stands in the extension; lengths below 128 and 65536. */
function generalNames(...names: readonly (readonly [tag: number, bytes: Uint8Array])[]): Uint8Array {
  return element(0x30, Buffer.concat(names.map(([tag, bytes]) => element(tag, bytes))));
}

function element(tag: number, bytes: Uint8Array): Buffer {
  const length =
    bytes.length < 128
      ? [bytes.length]
      : bytes.length < 256
        ? [0x81, bytes.length]
        : [0x82, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

const dns = (text: string): readonly [number, Uint8Array] => [0x82, Buffer.from(text, "latin1")];
const uri = (text: string): readonly [number, Uint8Array] => [0x86, Buffer.from(text, "latin1")];

describe("readCertificate", () => {
  it("finds names, serial number and dates as they stand there", async () => {
    const [notBefore, notAfter] = [Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2051, 0, 2, 3, 4, 5)];
    expect(
      await read({
        names: [
          { type: "url", value: "spiffe://a/b" },
          { type: "email", value: "a@example" },
          { type: "dns", value: "Device-1.Example" },
        ],
        serial: "00ff01",
        notBefore,
        notAfter,
      }),
    ).toEqual({
      names: ["uri:spiffe://a/b", "dns:Device-1.Example"],
      serial: "FF01",
      issuer: expect.stringMatching(/^[0-9A-F]{64}$/),
      notBefore,
      notAfter,
    });
  });

  it.each([
    ["two common names in one part", "CN=device-1.example+CN=admin"],
    ["common names in another order", "CN=admin,CN=device-1.example"],
    ["an escaped comma", "CN=device-1.example\\,CN\\=admin"],
    ["a name like one of ours", "CN=urn:mess:principal:admin"],
  ])("takes nothing from the subject: %s (LESSONS 32)", async (_, subject) => {
    expect(await read({ subject, names: [] })).toMatchObject({ names: [] });
  });

  it.each([
    ["a NUL in a DNS name", [dns("admin.example\0.evil.example")], /visible ASCII/],
    ["a NUL in a URI", [uri("urn:mess:principal:admin\0x")], /visible ASCII/],
    ["a line end", [uri("urn:a\nURI:urn:b")], /visible ASCII/],
    ["a space, as in a list", [dns("a.example, DNS:admin.example")], /visible ASCII/],
    ["a byte beyond ASCII", [dns("\xe4dmin.example")], /visible ASCII/],
    ["a wildcard", [dns("*.com")], /wildcard/],
    ["a wildcard within", [dns("a*.example"), uri("urn:fine")], /wildcard/],
    ["an empty name", [dns("")], /empty/],
    ["a long name", [uri(`urn:${"a".repeat(600)}`)], /512 bytes/],
    ["too many names", Array.from({ length: 65 }, (_, index) => dns(`d${index}.example`)), /more than 64/],
  ] as const)("refuses %s", async (_, names, problem) => {
    expect(await read({ rawNames: generalNames(...names) })).toEqual({ problem: expect.stringMatching(problem) });
  });

  it("refuses two lists of names: which one counts differs between readers", async () => {
    const [one, two] = [generalNames(dns("a.example")), generalNames(dns("b.example"))];
    expect(await read({ rawNames: one, moreNames: two })).toEqual({ problem: expect.stringMatching(/two lists/) });
  });

  it("refuses lists that are not DER to the last byte", async () => {
    const good = generalNames(dns("a.example"));
    expect(await read({ rawNames: good })).toMatchObject({ names: ["dns:a.example"] });
    expect(await read({ rawNames: Buffer.concat([good, Buffer.from([0x05, 0])]) })).toHaveProperty("problem");
    expect(await read({ rawNames: good.subarray(0, -1) })).toHaveProperty("problem");
    // A length in more octets than it needs.
    const long = Buffer.concat([Buffer.from([0x30, 0x81, good.length - 2]), good.subarray(2)]);
    expect(await read({ rawNames: long })).toHaveProperty("problem");
  });

  it("has the names that OpenSSL has, of any certificate it can make", async () => {
    const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?$/);
    const name = fc.oneof(
      fc.tuple(
        fc.constant("dns" as const),
        fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
      ),
      fc.tuple(
        fc.constant("url" as const),
        label.map((path) => `spiffe://trust.example/${path}`),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 8 }), async (names) => {
        const { cert } = await makeClient(authority, { names: names.map(([type, value]) => ({ type, value })) });
        const seen = readCertificate(new X509Certificate(cert).raw);
        const text = new X509Certificate(cert).subjectAltName?.split(", ");
        const expected = text?.map((item) => item.replace(/^DNS:/, "dns:").replace(/^URI:/, "uri:"));
        expect(seen).toMatchObject({ names: expected });
      }),
      { numRuns: 30 },
    );
  });

  it("never throws, and finds no other name, whatever bytes are changed", async () => {
    const { raw } = new X509Certificate((await makeClient(authority)).cert);
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.nat(255), fc.nat(raw.length), (at, byte, length) => {
        const changed = Buffer.from(raw);
        changed[at] = byte;
        readCertificate(changed);
        const cut = readCertificate(raw.subarray(0, length));
        if (length < raw.length) expect(cut).toHaveProperty("problem");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("readRevocationList", () => {
  const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");

  it("reads serial numbers, the issuer and the time of the next one", async () => {
    const nextUpdate = Date.UTC(2030, 1, 2, 3, 4, 5);
    const list = readRevocationList(der(await makeList(authority, ["0a", "ff00"], { nextUpdate })));
    const client = readCertificate(new X509Certificate((await makeClient(authority)).cert).raw);
    expect(list).toMatchObject({ serials: new Set(["0A", "FF00"]), nextUpdate });
    expect(client).toMatchObject({ issuer: list?.issuer });
    expect(readRevocationList(der(await makeList(authority, [])))).toMatchObject({ serials: new Set() });
  });

  it("reads no certificate, and nothing that was cut", async () => {
    expect(readRevocationList(new X509Certificate(authority.pem).raw)).toBeUndefined();
    const whole = der(await makeList(authority, ["0a"]));
    for (let length = 0; length < whole.length; length++)
      expect(readRevocationList(whole.subarray(0, length))).toBeUndefined();
  });

  it("agrees with OpenSSL", async () => {
    const text = execFileSync("openssl", ["crl", "-text", "-noout"], {
      input: await makeList(authority, ["0badcafe"]),
    });
    expect(String(text)).toContain("Serial Number: 0BADCAFE");
  });
});
