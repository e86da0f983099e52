/** The consumer's side against the same vectors as the broker's, which a foreign library made. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { MessageVerifier, SignedContent } from "../message-signing.ts";
import { signatureOf } from "./canonical.ts";
import { messageSigner } from "./message-signer.ts";
import { messageVerifier } from "./message-verifier.ts";
import type { SigningJwk } from "./signing-key.ts";

interface Vector {
  readonly name: string;
  readonly refused?: string;
  readonly message: {
    readonly principal: string;
    readonly topic: string;
    readonly payload: string;
    readonly contentType?: string;
    readonly responseTopic?: string;
    readonly correlationData?: string;
    readonly userProperties?: readonly (readonly [string, string])[];
  };
  readonly signature: string;
}

const vectors = JSON.parse(readFileSync(new URL("../../../../docs/vectors/signing.json", import.meta.url), "utf8")) as {
  readonly keys: readonly {
    readonly id: string;
    readonly principal: string;
    readonly algorithm: string;
    readonly publicKey?: string;
    readonly secret: string;
  }[];
  readonly messages: readonly Vector[];
};

const jwks: readonly (SigningJwk & { readonly principal: string })[] = vectors.keys.map(
  ({ id: kid, principal, publicKey, secret }) =>
    publicKey === undefined
      ? { kid, principal, kty: "oct", k: secret }
      : { kid, principal, kty: "OKP", crv: "Ed25519", x: publicKey, d: secret },
);

function contentOf({ message, signature }: Pick<Vector, "message" | "signature">): SignedContent {
  const { topic, payload, principal: _, correlationData, userProperties = [], ...others } = message;
  return {
    topic,
    payload: Buffer.from(payload, "base64url"),
    properties: {
      ...others,
      ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, "base64url") }),
      userProperties: [...userProperties, ["mess-signature", signature]],
    },
  };
}

const codeOf = (verifier: MessageVerifier, content: SignedContent): Promise<string> =>
  verifier(content).then(
    () => "holds",
    (error: { code: string }) => error.code,
  );

describe("vectors", () => {
  // Age is the broker's to judge: what it keeps is as good as on the first day.
  const judged = vectors.messages.filter(({ refused }) => refused !== "sig.stale");

  it.each(judged)("$name", async (vector) => {
    // Whose key it is: a consumer trusts keys, the broker knows principals.
    const keys = jwks.filter(({ principal }) => principal === vector.message.principal);
    const code = await codeOf(await messageVerifier({ keys }), contentOf(vector));
    expect(code).toBe(vector.refused === undefined ? "holds" : "BAD_SIGNATURE");
  });
});

describe("messageSigner", () => {
  const content: SignedContent = {
    topic: "a/b",
    payload: Buffer.from("x"),
    properties: {
      contentType: "text/plain",
      userProperties: [
        ["b", "1"],
        ["a", "2"],
        ["mess-id", "i"],
      ],
    },
  };

  it.each(jwks)("signs with $kid, each time with another number", async (jwk) => {
    const signer = await messageSigner(jwk);
    const signed = { ...content, properties: await signer(content, 1_900_000_000_000) };
    const signature = signatureOf(signed.properties.userProperties) ?? "";
    const again = await signer(content, 1_900_000_000_000);
    expect(signature).not.toBe(signatureOf(again.userProperties));
    const header = JSON.parse(Buffer.from(signature.split(".")[0] ?? "", "base64url").toString()) as object;
    expect(header).toMatchObject({ kid: jwk.kid, iat: 1_900_000_000, mess: { topic: "a/b" } });
    const verifier = await messageVerifier({ keys: jwks });
    expect(await codeOf(verifier, signed)).toBe("holds");
    expect(await codeOf(verifier, { ...signed, topic: "a/c" })).toBe("BAD_SIGNATURE");
    expect(await codeOf(verifier, { ...signed, payload: Buffer.from("y") })).toBe("BAD_SIGNATURE");
    expect(await codeOf(verifier, { ...signed, properties: { ...signed.properties, contentType: "text/html" } })).toBe(
      "BAD_SIGNATURE",
    );
    const strangers = await messageVerifier({ keys: jwks.filter(({ kid }) => kid !== jwk.kid) });
    expect(await codeOf(strangers, signed)).toBe("BAD_SIGNATURE");
  });

  it("refuses a topic that leaves no room", async () => {
    const signer = await messageSigner(jwks[0] as SigningJwk);
    const long = { ...content, topic: "x".repeat(1_500) };
    await expect(signer(long, 0)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each<[string, SigningJwk]>([
    ["no id", { kty: "oct", k: "AAAA" }],
    ["a public key", { kid: "a", kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }],
    ["another curve", { kid: "a", kty: "EC", crv: "P-256", x: "AAAA" }],
    ["nothing", { kid: "a" }],
    ["a key of the wrong length", { kid: "a", kty: "OKP", crv: "Ed25519", x: "AAAA", d: "AAAA" }],
  ])("refuses %s", async (_, jwk) => {
    await expect(messageSigner(jwk)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("messageVerifier", () => {
  it("wants a signature, unless told otherwise", async () => {
    const unsigned = { topic: "a", payload: Buffer.from("x"), properties: {} };
    expect(await codeOf(await messageVerifier({ keys: jwks }), unsigned)).toBe("BAD_SIGNATURE");
    expect(await codeOf(await messageVerifier({ keys: jwks, unsigned: "accept" }), unsigned)).toBe("holds");
  });

  it("takes what the broker put around a message away again", async () => {
    const signer = await messageSigner(jwks[0] as SigningJwk);
    const payload = Buffer.from("x");
    const own = { responseTopic: "replies", correlationData: Uint8Array.of(1, 2) };
    const { userProperties } = await signer({ topic: "orders/1", payload, properties: own }, 0);
    const leased: SignedContent = {
      topic: "$mess/queue/billing/$mess/dead/orders",
      payload,
      properties: {
        responseTopic: "$mess/lease/billing",
        correlationData: Buffer.from("token"),
        userProperties: [
          ["mess-signature", signatureOf(userProperties) ?? ""],
          ["mess-origin-topic", "orders/1"],
          ["mess-response-topic", "replies"],
          ["mess-correlation-data", "AQI"],
        ],
      },
    };
    expect(await codeOf(await messageVerifier({ keys: jwks }), leased)).toBe("holds");
  });

  it("needs keys", async () => {
    await expect(messageVerifier({ keys: [] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
