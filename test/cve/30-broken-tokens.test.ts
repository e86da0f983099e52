// LESSONS 30, NATS 2026-23. Elsewhere a JWT with a malformed issuer key brought the process down before anybody had
// logged in. Here a token that is damaged in any way is a wrong password, at each door.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scratch } from "../../attacks/support/files.ts";
import { randomOf } from "../../attacks/support/random.ts";
import { forged, hmac, jwksText, signed, testKey } from "../../packages/broker/src/identity/jwt.test-data.ts";
import { unique } from "../support/names.ts";
import { useField } from "./support.ts";

const directory = scratch();
const key = testKey("ed");
writeFileSync(join(directory, "jwks.json"), jwksText(key));
writeFileSync(
  join(directory, "mess.toml"),
  `[[jwt]]\nname = "idp"\nissuer = "https://idp.example/"\naudience = "mess"\njwksFile = "${join(directory, "jwks.json")}"\n[limits]\nauthFailuresPerAddressPerMinute = 10000\n`,
);
const field = useField({ args: ["--config", join(directory, "mess.toml")] });

it("no damaged token is one, and none is a crash", async () => {
  const { arena } = field;
  const { name } = await arena.principal();
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: "https://idp.example/", aud: "mess", sub: name, iat: now, exp: now + 60 };
  const good = await signed(key, claims);
  const enter = async (password: string, index: number): Promise<number | undefined> => {
    const credentials = { username: "jwt", password };
    const { client, connack } = await arena.attempt({ credentials }, { clientId: unique("c") }, arena.doors[index % 2]);
    client.stream.destroy();
    return connack?.code;
  };
  expect(await enter(good, 0)).toBe(0);
  const random = randomOf(30);
  const damaged = Array.from({ length: 40 }, () => {
    const at = Math.floor(random() * good.length);
    const kind = Math.floor(random() * 3);
    if (kind === 0) return good.slice(0, at);
    const byte = String.fromCharCode(33 + Math.floor(random() * 90));
    return kind === 1
      ? `${good.slice(0, at)}${byte}${byte}${good.slice(at + 1)}`
      : `${good.slice(0, at)}.${good.slice(at)}`;
  });
  const made = [
    forged({ alg: "none", kid: "ed" }, claims, () => ""),
    forged({ alg: "NONE" }, claims, () => ""),
    forged({ alg: "HS256", kid: "ed" }, claims, hmac(JSON.stringify(key.jwk))),
    forged({ alg: "EdDSA", kid: "ed" }, { ...claims, iss: null }, () => "AAAA"),
    await signed(key, { ...claims, iss: { a: 1 } }),
    await signed(key, { ...claims, iss: ["https://idp.example/"] }),
    await signed(key, { ...claims, exp: "never" }),
    await signed(key, { ...claims, sub: good }),
    "..",
    "e30.e30.",
    `${"A".repeat(15_000)}.e30.e30`,
    `${Buffer.from("[".repeat(9_000)).toString("base64url")}.e30.e30`,
  ];
  for (const [index, token] of [...damaged, ...made].entries()) {
    // bits past the last whole byte of base64 may differ and mean the same; such a token is not damaged
    if (token === good) continue;
    expect(await enter(token, index), token.slice(0, 100)).not.toBe(0);
  }
  const huge = await arena.ask(undefined, "/v1/whoami", { key: "a".repeat(1 << 20) }).catch(() => undefined);
  expect([undefined, 400, 401, 431]).toContain(huge?.status);
});
