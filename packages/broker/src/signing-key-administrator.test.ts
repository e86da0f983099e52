import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import { publicKeyPem } from "./identity/signing-key.ts";
import type { NewSigningKey } from "./model/signing-key-administration.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.open({
    policy: {
      roles: {
        provisioner: {
          allow: [
            { action: "admin.keys", filter: "#" },
            { action: "publish", filter: "dev/#" },
          ],
          deny: [],
        },
        device: { allow: [{ action: "publish", filter: "dev/{principal}/#" }], deny: [] },
        everything: { allow: [{ action: "publish", filter: "#" }], deny: [] },
      },
      principals: {
        maker: { roles: ["provisioner"] },
        dev7: { roles: ["device"] },
        boss: { roles: ["everything"] },
        chief: { roles: ["security-admin"] },
      },
    },
    limits: { signingKeysPerPrincipalMax: 2 },
  });
});
afterEach(() => bench.close());

const pair = generateKeyPairSync("ed25519", {
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const ed25519 = (principal: string, publicKey: string = pair.publicKey): NewSigningKey => ({
  principal,
  name: "line 1",
  algorithm: "EdDSA",
  publicKey,
});

describe("signing keys", () => {
  it("are there after a restart, from the records and from a snapshot, and gone once removed", async () => {
    const keys = (): unknown => bench.administrator.signingKeys.signingKeys();
    const added = await bench.administrator.signingKeys.addSigningKey("maker", ed25519("dev7"));
    const shared = await bench.administrator.signingKeys.addSigningKey("maker", {
      principal: "dev7",
      name: "",
      algorithm: "HS256",
    });
    expect(added).toEqual({ id: expect.stringMatching(/^sk_[\w-]{16}$/), principal: "dev7", algorithm: "EdDSA" });
    expect(shared).toMatchObject({ algorithm: "HS256", secret: expect.stringMatching(/^[\w-]{43}$/) });
    const before = keys();
    expect(before).toMatchObject([
      { id: added.id, principal: "dev7", name: "line 1", algorithm: "EdDSA", publicKey: pair.publicKey },
      { id: shared.id, principal: "dev7", algorithm: "HS256" },
    ]);
    expect(JSON.stringify(before)).not.toContain(shared.secret);
    await bench.restart();
    expect(keys()).toEqual(before);
    // The stop wrote a snapshot: now it comes from there.
    await bench.restart();
    expect(keys()).toEqual(before);
    expect(Buffer.from(bench.engine.machine.state.signingKeys.get(shared.id)?.key ?? []).toString("base64url")).toBe(
      shared.secret,
    );
    await bench.administrator.signingKeys.removeSigningKey("maker", added.id);
    await bench.restart();
    expect(keys()).toMatchObject([{ id: shared.id }]);
    expect(bench.audited.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["signing-key.added", "signing-key.added", "signing-key.removed"]),
    );
    expect(JSON.stringify(bench.audited)).not.toContain(shared.secret);
  });

  it.each([
    ["an unknown principal", "chief", ed25519("nobody"), "invalid"],
    ["a name that every object has", "chief", ed25519("constructor"), "invalid"],
    ["a principal with more rights", "maker", ed25519("boss"), "forbidden"],
    ["the admin, by one who is less", "maker", ed25519("admin"), "forbidden"],
    ["the admin, by one who may change the policy", "chief", ed25519("admin"), "done"],
    ["a private key", "chief", ed25519("dev7", pair.privateKey), "invalid"],
    ["no key", "chief", ed25519("dev7", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"), "invalid"],
    [
      "a key of another kind",
      "chief",
      ed25519(
        "dev7",
        generateKeyPairSync("ec", {
          namedCurve: "P-256",
          publicKeyEncoding: { type: "spki", format: "pem" },
          privateKeyEncoding: { type: "pkcs8", format: "pem" },
        }).publicKey,
      ),
      "invalid",
    ],
  ])("%s", async (_, by, key, outcome) => {
    expect(await codeOf(bench.administrator.signingKeys.addSigningKey(by, key))).toBe(outcome);
    expect(bench.administrator.signingKeys.signingKeys().length).toBe(outcome === "done" ? 1 : 0);
    if (outcome !== "done") expect(bench.audited.at(-1)?.event).toBe("admin.refused");
  });

  it("of small order are refused (THREATS D7)", async () => {
    const { refusedPublicKeys } = JSON.parse(
      readFileSync(new URL("../../../docs/vectors/signing.json", import.meta.url), "utf8"),
    ) as { refusedPublicKeys: { publicKey: string }[] };
    for (const { publicKey } of refusedPublicKeys) {
      const bytes = Buffer.from(publicKey, "base64url");
      if (bytes.length !== 32) continue;
      const key = ed25519("dev7", publicKeyPem(bytes));
      expect(await codeOf(bench.administrator.signingKeys.addSigningKey("chief", key))).toBe("invalid");
    }
  });

  it("are limited in number for each principal", async () => {
    const add = (principal: string): Promise<string> =>
      codeOf(bench.administrator.signingKeys.addSigningKey("chief", ed25519(principal)));
    expect([await add("dev7"), await add("dev7"), await add("dev7"), await add("boss")]).toEqual([
      "done",
      "done",
      "conflict",
      "done",
    ]);
    expect(await codeOf(bench.administrator.signingKeys.removeSigningKey("chief", "sk_none"))).toBe("not-found");
  });
});
