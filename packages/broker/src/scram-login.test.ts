import { expect, test } from "vitest";
import { TestScramClient, verifierFor } from "./identity/scram-client.test-data.ts";
import { type Exchange, isRefused, type Presented } from "./model/authentication.ts";
import type { PasswordRecord } from "./model/password.ts";
import { ScramLogin } from "./scram-login.ts";

const peer: Presented = { address: "192.0.2.1" };
const alice: PasswordRecord = { ...verifierFor("pencil", Buffer.alloc(16, 1), 4_096), principal: "alice", setAt: 0 };

function open(): { login: ScramLogin; passwords: Map<string, PasswordRecord>; failed: (string | undefined)[] } {
  const passwords = new Map([["alice", alice]]);
  let calls = 0;
  const random = { bytes: (length: number): Uint8Array => new Uint8Array(length).fill(++calls) };
  return { login: new ScramLogin({ passwords, secret: Buffer.alloc(32), random }), passwords, failed: [] };
}

function begun(opened: ReturnType<typeof open>): Exchange {
  const exchange = opened.login.begin("SCRAM-SHA-256", peer, (principal) => opened.failed.push(principal));
  if (isRefused(exchange)) throw new Error(exchange.refused);
  return exchange;
}

async function run(
  opened: ReturnType<typeof open>,
  username: string,
  password: string,
  between = () => {},
): Promise<unknown> {
  const exchange = begun(opened);
  const client = new TestScramClient({ username, password, nonce: "c" });
  const step = await exchange.next(client.first);
  if (!("challenge" in step)) return step;
  between();
  return exchange.next(client.final(step.challenge));
}

test("whoever proves a password is its principal; a failure names who is known, and nobody else", async () => {
  const opened = open();
  expect(await run(opened, "alice", "pencil")).toMatchObject({
    identity: { principal: "alice", keyId: "password:alice", method: "scram" },
  });
  expect(await run(opened, "alice", "wrong")).toHaveProperty("refused");
  expect(await run(opened, "secret pasted here", "x")).toHaveProperty("refused");
  expect(await begun(opened).next(Buffer.from("garbage"))).toHaveProperty("refused");
  expect(opened.failed).toEqual(["alice", undefined, undefined]);
});

test("a password that is removed or changed between challenge and proof counts no more", async () => {
  const opened = open();
  expect(await run(opened, "alice", "pencil", () => opened.passwords.delete("alice"))).toHaveProperty("refused");
  opened.passwords.set("alice", alice);
  const changed = { ...alice, setAt: 1 };
  expect(await run(opened, "alice", "pencil", () => opened.passwords.set("alice", changed))).toHaveProperty("refused");
  expect(await run(opened, "alice", "pencil")).toHaveProperty("identity");
});

test("each exchange has a nonce of its own; methods that are not served, or need a channel to bind to, are refused", async () => {
  const opened = open();
  const challenges = await Promise.all(
    [0, 1].map(() => begun(opened).next(new TestScramClient({ username: "alice", password: "", nonce: "c" }).first)),
  );
  expect(challenges[0]).not.toEqual(challenges[1]);
  for (const method of ["PLAIN", "scram-sha-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", ""]) {
    expect(opened.login.begin(method, peer, () => {})).toHaveProperty("refused");
  }
  const bound = { ...peer, channelBinding: () => new Uint8Array(32) };
  expect(opened.login.begin("SCRAM-SHA-256-PLUS", bound, () => {})).toHaveProperty("next");
});
