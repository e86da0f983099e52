import { open } from "node:fs/promises";
import { MessError } from "@mess/client";
import { describe, expect, it } from "vitest";
import { CliError } from "./cli-error.ts";
import { describeError } from "./describe-error.ts";

describe("describeError", () => {
  it("keeps the exit code and hint of an expected failure", () => {
    expect(describeError(new CliError(75, "in use", "stop it"))).toEqual({
      exitCode: 75,
      message: "in use",
      hint: "stop it",
      stack: undefined,
    });
  });

  it.each([
    ["UNREACHABLE", 69],
    ["TIMEOUT", 69],
    ["NOT_AUTHORIZED", 77],
    ["TLS_FAILED", 78],
    ["CLEARTEXT_CREDENTIALS", 78],
    ["INVALID_ARGUMENT", 64],
    ["TOO_LARGE", 64],
  ] as const)("maps the client's %s to %s", (code, exitCode) => {
    expect(describeError(new MessError(code, "m", { hint: "h" }))).toEqual({
      exitCode,
      message: "m",
      hint: "h",
      stack: undefined,
    });
  });

  it.each([
    [0x83, 64],
    [0x97, 74],
    [0x99, 64],
    [0x80, 69],
    [0x88, 69],
  ])("maps a refusal with 0x%s to %s", (reasonCode, exitCode) => {
    expect(describeError(new MessError("REFUSED", "m", { reasonCode })).exitCode).toBe(exitCode);
  });

  it("tells errors of the system from defects", async () => {
    const missing: unknown = await open("/nonexistent/file").catch((error: unknown) => error);
    expect(describeError(missing)).toMatchObject({ exitCode: 78, stack: undefined });
    expect(describeError(Object.assign(new Error("x"), { code: "EACCES", syscall: "open" })).exitCode).toBe(77);
    expect(describeError(Object.assign(new Error("x"), { code: "EIO", syscall: "read" })).exitCode).toBe(74);
    expect(describeError(new TypeError("x is undefined"))).toMatchObject({
      exitCode: 70,
      message: "internal error: x is undefined",
    });
    expect(describeError(new TypeError("x is undefined")).stack).toContain("describe-error.test");
    expect(describeError("thrown text").exitCode).toBe(70);
  });

  it("takes the exit code of an error of the broker", () => {
    expect(describeError(Object.assign(new Error("damaged"), { exitCode: 65, hint: "restore" }))).toMatchObject({
      exitCode: 65,
      hint: "restore",
    });
  });
});
