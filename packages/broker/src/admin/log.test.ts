import { describe, expect, it } from "vitest";
import { type LogLevel, openLog } from "./log.ts";

function collect(
  form: "json" | "plain" | "coloured",
  level: LogLevel = "info",
): { lines: string[]; log: ReturnType<typeof openLog> } {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  return { lines, log: openLog({ level, stream, form }) };
}

describe("openLog", () => {
  it("writes one JSON object a line", () => {
    const { lines, log } = collect("json");
    log.info("listener.open", { port: 8883 });
    log.error("journal.fail", { reason: "EIO" });
    log.debug("quiet");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: "info", time: expect.stringMatching(/^\d{4}-.*Z$/) as unknown, event: "listener.open", port: 8883 },
      { level: "error", time: expect.anything() as unknown, event: "journal.fail", reason: "EIO" },
    ]);
  });

  it.each(["json", "plain", "coloured"] as const)("keeps what clients send on one line (%s)", (form) => {
    const { lines, log } = collect(form);
    log.warn("auth.fail", { clientId: 'a\r\nINFO forged\u001b[2J\u009b"x"' });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf("\n")).toBe((lines[0] as string).length - 1);
    expect(lines[0]).not.toContain("\r");
    expect(lines[0]).not.toContain("\u001b[2J");
    if (form !== "json") expect(lines[0]).not.toContain("\u009b");
  });

  it.each(["json", "plain"] as const)("does not write secrets (%s)", (form) => {
    const { lines, log } = collect(form);
    for (const field of ["secret", "password", "authorization", "token", "key", "credential"]) {
      log.error("mistake", { [field]: "do-not-show", other: "shown" });
    }
    expect(lines.join("")).not.toContain("do-not-show");
    expect(lines.join("")).toContain("shown");
  });

  it("is for people at a terminal", () => {
    const { lines, log } = collect("plain");
    log.info("listener.open", { port: 8883, host: "::1" });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}listener\.open port=8883 host="::1"\n$/);
  });
});
