import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Io } from "../io.ts";
import { testIo } from "../test-io.test-data.ts";
import { askSecret } from "./ask-secret.ts";
import { confirm } from "./confirm.ts";

/** A terminal on which these keys are struck once something was asked. */
function terminal(keys: string): { io: Io; shown: () => string } {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const { io, err } = testIo({ cwd: "/", stdin });
  Object.assign(io.stderr, { isTTY: true });
  setTimeout(() => stdin.write(keys), 20);
  return { io, shown: () => err().toString() };
}

describe("confirm", () => {
  it.each([
    ["y\r", true],
    ["YES\r", true],
    ["n\r", false],
    ["\r", false],
    ["yesterday\r", false],
    ["\u0004", false],
  ])("takes %j for %s", async (keys, answer) => {
    const { io, shown } = terminal(keys);
    expect(await confirm(io, "revoke it", false)).toBe(answer);
    expect(shown()).toContain("revoke it? [y/N] ");
  });

  it("ends with 130 on Ctrl-C", async () => {
    await expect(confirm(terminal("\u0003").io, "revoke it", false)).rejects.toMatchObject({ exitCode: 130 });
  });

  it("asks nobody when told yes", async () => {
    expect(await confirm(testIo({ cwd: "/" }).io, "revoke it", true)).toBe(true);
  });
});

describe("askSecret", () => {
  it("does not show what is typed", async () => {
    const { io, shown } = terminal("k.hidden-words\r");
    expect(await askSecret(io, "key: ", 100)).toBe("k.hidden-words");
    expect(shown()).toBe("key: \n");
  });

  it("reads a pipe whole, within its bound", async () => {
    expect(await askSecret(testIo({ cwd: "/", stdin: "k.s\n" }).io, "key: ", 100)).toBe("k.s\n");
    await expect(askSecret(testIo({ cwd: "/", stdin: "x".repeat(101) }).io, "key: ", 100)).rejects.toMatchObject({
      exitCode: 64,
    });
  });
});
