import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { newApiKey } from "./api-key.ts";
import { parseBearer, parseCredentialLine } from "./credential.ts";

const key = newApiKey((length) => randomBytes(length));
const line = `${key.id}.${key.secret}`;

describe("parseCredentialLine", () => {
  it.each([line, `${line}\n`, `${line}\r\n`, `  ${line}  `])("reads a whole line", (text) => {
    expect(parseCredentialLine(text)).toEqual(key);
  });

  it.each([
    "",
    "\n",
    key.id,
    key.secret,
    `${key.id}.`,
    `.${key.secret}`,
    `${key.id}:${key.secret}`,
    `${key.id}.${key.secret.slice(0, -1)}`,
    `${key.id}.${key.secret}x`,
    `${line}\n${line}`,
    `${key.id} x.${key.secret}`,
    `${key.id}.${key.secret}\u0000`,
    `${"k".repeat(200)}.${key.secret}`,
  ])("refuses a broken line and shows nothing of it (LESSONS 9)", (text) => {
    const parsed = parseCredentialLine(text);
    expect(parsed).toHaveProperty("problem");
    const said = JSON.stringify(parsed);
    expect(said).not.toContain(key.secret.slice(0, 12));
    expect(said).not.toContain(key.id);
  });
});

describe("parseBearer", () => {
  it.each([`Bearer ${line}`, `bearer ${line}`, `BEARER   ${line} `])("reads the header", (header) => {
    expect(parseBearer(header)).toEqual(key);
  });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    `Basic ${line}`,
    line,
    `Bearer${line}`,
    `Bearer ${key.id}`,
    "Bearer .x",
  ])("takes %j for no credential", (header) => {
    expect(parseBearer(header)).toBeUndefined();
  });

  it("bounds what it looks at", () => {
    expect(parseBearer(`Bearer k.${"x".repeat(1_000_000)}`)).toBeUndefined();
    expect(parseBearer(`Bearer k.x\r\ny`)).toBeUndefined();
  });
});
