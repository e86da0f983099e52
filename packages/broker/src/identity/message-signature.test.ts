import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTimely, type SignatureFault, type SignedProperties, type SigningKeyRecord } from "../model/signing.ts";
import { publicKeyProblem } from "./ed25519-point.ts";
import {
  canonicalProperties,
  importSignatureKey,
  parseMessageSignature,
  propertiesHash,
  signatureHolds,
  signatureMismatch,
} from "./message-signature.ts";

interface MessageVector {
  readonly name: string;
  readonly refused?: string;
  readonly now: number;
  readonly message: {
    readonly principal: string;
    readonly topic: string;
    readonly payload: string;
    readonly contentType?: string;
    readonly responseTopic?: string;
    readonly correlationData?: string;
    readonly userProperties?: readonly (readonly [string, string])[];
  };
  readonly canonicalProperties?: string;
  readonly signature: string;
}

interface Vectors {
  readonly windowSeconds: number;
  readonly keys: readonly {
    readonly id: string;
    readonly principal: string;
    readonly algorithm: "EdDSA" | "HS256";
    readonly publicKey?: string;
    readonly secret: string;
  }[];
  readonly messages: readonly MessageVector[];
  readonly refusedPublicKeys: readonly { readonly publicKey: string; readonly why: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../../docs/vectors/signing.json", import.meta.url), "utf8"),
) as Vectors;

const keys: ReadonlyMap<string, SigningKeyRecord> = new Map(
  vectors.keys.map(({ id, principal, algorithm, publicKey, secret }) => {
    const key = Buffer.from(algorithm === "EdDSA" ? (publicKey ?? "") : secret, "base64url");
    return [id, { id, principal, name: "", algorithm, key, createdAt: 0 }];
  }),
);

const propertiesOf = ({ message }: MessageVector): SignedProperties => ({
  ...message,
  correlationData:
    message.correlationData === undefined ? undefined : Buffer.from(message.correlationData, "base64url"),
});

async function judge(vector: MessageVector): Promise<SignatureFault["problem"] | undefined> {
  const { principal, topic, payload } = vector.message;
  const parsed = parseMessageSignature(vector.signature);
  if ("problem" in parsed) return parsed.problem;
  const key = keys.get(parsed.keyId);
  const fault = signatureMismatch(parsed, key, { principal, topic, properties: propertiesOf(vector) });
  if (fault !== undefined || key === undefined) return fault?.problem;
  if (!isTimely(parsed.issuedAt, vector.now * 1_000, vectors.windowSeconds * 1_000)) return "sig.stale";
  const holds = await signatureHolds(parsed, await importSignatureKey(key), Buffer.from(payload, "base64url"));
  return holds ? undefined : "sig.bad";
}

describe("vectors made by a foreign JOSE library", () => {
  it("are more than twenty, of both algorithms and both verdicts", () => {
    expect(vectors.messages.length).toBeGreaterThanOrEqual(20);
    expect(vectors.messages.filter(({ refused }) => refused === undefined).length).toBeGreaterThanOrEqual(10);
    expect(new Set(vectors.messages.map(({ signature }) => signature)).size).toBeGreaterThan(30);
  });

  it.each(vectors.messages)("$name", async (vector) => {
    expect(await judge(vector)).toBe(vector.refused);
    if (vector.canonicalProperties !== undefined) {
      expect(canonicalProperties(propertiesOf(vector)).toString("base64url")).toBe(vector.canonicalProperties);
    }
  });

  it.each(vectors.messages.filter(({ refused }) => refused === undefined))(
    "$name: no other character in any place holds",
    async (vector) => {
      const { signature } = vector;
      for (let at = 0; at < signature.length; at += 7) {
        const other = signature[at] === "A" ? "B" : "A";
        const changed = signature.slice(0, at) + other + signature.slice(at + 1);
        expect(await judge({ ...vector, signature: changed }), `at ${at}`).toBeDefined();
      }
    },
  );
});

describe("public keys", () => {
  it.each(vectors.refusedPublicKeys)("$publicKey is refused: $why", ({ publicKey }) => {
    expect(publicKeyProblem(Buffer.from(publicKey, "base64url"))).not.toBe("");
  });

  it("that generators make are taken", () => {
    for (const { algorithm, key } of keys.values()) {
      if (algorithm === "EdDSA") expect(publicKeyProblem(key)).toBe("");
    }
  });
});

describe("canonicalProperties", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 8 });
  const properties = fc.record(
    {
      contentType: text,
      responseTopic: text,
      correlationData: fc.uint8Array({ maxLength: 8 }),
      userProperties: fc.array(fc.tuple(fc.constantFrom("a", "b", "", "é", "ab"), text), { maxLength: 4 }),
    },
    { requiredKeys: [] },
  );

  it("is the same for what a consumer cannot tell apart, and another for everything else", () => {
    const shown = (one: SignedProperties): string => {
      const byName = [...(one.userProperties ?? [])].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return JSON.stringify([
        one.contentType ?? null,
        one.responseTopic ?? null,
        one.correlationData === undefined ? null : [...one.correlationData],
        byName,
      ]);
    };
    fc.assert(
      fc.property(properties, properties, (one, other) => {
        expect(propertiesHash(one) === propertiesHash(other)).toBe(shown(one) === shown(other));
      }),
      { numRuns: 2_000 },
    );
  });

  it("leaves out what is between client and broker", () => {
    const userProperties = [["mess-key", "a"] as const, ["a", "b"] as const, ["mess-signature", "x"] as const];
    expect(propertiesHash({ userProperties })).toBe(propertiesHash({ userProperties: [["a", "b"]] }));
  });
});

describe("parseMessageSignature", () => {
  it("never throws", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString("base64url")),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64url")),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        expect(parseMessageSignature(pieces.join("."))).toHaveProperty("problem", "sig.bad");
      }),
    );
  });
});
