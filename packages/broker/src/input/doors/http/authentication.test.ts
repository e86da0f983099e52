import { describe, expect, it } from "vitest";
import type { Authenticator, Presented, PresentedCertificate, Verdict } from "../../../model/authentication.ts";
import { authenticate } from "./authentication.ts";
import { HttpRefusal } from "./problem.ts";

const alice: Verdict = { principal: "alice", keyId: "k_1", method: "key", expiresAt: 5 };
const presented: Presented = { address: "192.0.2.1", kind: "https" };
const certificate: PresentedCertificate = {
  verified: true,
  problem: "",
  names: [],
  serial: "01",
  authority: "own",
  issuer: "",
  expiresAt: 9,
};

function asking(verdict: Verdict): { authenticator: Authenticator; seen: unknown[] } {
  const seen: unknown[] = [];
  return {
    seen,
    authenticator: {
      methods: [],
      begin: () => ({ refused: "no" }),
      authenticate: async (username, password) => {
        seen.push([username, password === undefined ? undefined : Buffer.from(password).toString()]);
        await Promise.resolve();
        return verdict;
      },
    },
  };
}

async function refusal(verdict: Verdict): Promise<[number, string | undefined]> {
  const error: unknown = await authenticate(asking(verdict), "Bearer a.b", presented).catch((caught) => caught);
  if (!(error instanceof HttpRefusal)) throw error;
  return [error.problem.status, error.headers["retry-after"]];
}

describe("an Authorization header", () => {
  it.each([
    ["Bearer k_1.mess_secret", ["k_1", "mess_secret"]],
    ["bearer  k_1.mess_secret ", ["k_1", "mess_secret"]],
    ["Bearer aa-_.bb.cc", [undefined, "aa-_.bb.cc"]],
    [`Bearer ${"a".repeat(4_000)}.b.c`, [undefined, `${"a".repeat(4_000)}.b.c`]],
    [`Bearer ${"a".repeat(8_192)}.b.c`, ["", ""]],
    [`Basic ${Buffer.from("k_1:mess:secret").toString("base64")}`, ["k_1", "mess:secret"]],
    ["Bearer nothing", ["", ""]],
    ["Digest a=b", ["", ""]],
    ["", ["", ""]],
  ])("%s is shown as it is meant, and what is nothing counts as a guess", async (header, shown) => {
    const parts = asking(alice);
    expect(await authenticate(parts, header, presented)).toEqual({ principal: "alice", keyId: "k_1", expiresAt: 5 });
    expect(parts.seen).toEqual([shown]);
  });

  it("is not needed where the connection brought a certificate, and nothing is asked without either", async () => {
    const parts = asking(alice);
    await authenticate(parts, undefined, { ...presented, certificate });
    expect(parts.seen).toEqual([[undefined, undefined]]);
    await expect(authenticate(parts, undefined, presented)).rejects.toMatchObject({ code: "unauthorized" });
    expect(parts.seen).toHaveLength(1);
  });

  it("is refused with a status that tells what to do", async () => {
    expect(await refusal({ refused: "wrong" })).toEqual([401, undefined]);
    expect(await refusal({ refused: "often", retryAfterMs: 1_500 })).toEqual([429, "2"]);
    expect(await refusal({ refused: "busy", busy: true })).toEqual([503, "1"]);
  });
});
