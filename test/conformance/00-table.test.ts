// The table of docs/mqtt-conformance.md tells the truth: every id has a test, every test an id that exists.
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { documentPath, evidence, table } from "./conformance-table.ts";
import { statements5, statements311 } from "./statements.test-data.ts";

describe("the conformance table", () => {
  const found = evidence();
  const ids = (list: typeof statements5, prefix: string): string[] => list.map(([id]) => `${prefix}-${id}`);
  const known = new Set([...ids(statements5, "MQTT"), ...ids(statements311, "MQTT311")]);

  it("has a test for each statement that binds the server", () => {
    const bound = (list: typeof statements5): typeof statements5 => list.filter(([, who]) => who === "server");
    const wanted = [...ids(bound(statements5), "MQTT"), ...ids(bound(statements311), "MQTT311")];
    expect(wanted.filter((id) => !found.has(id))).toEqual([]);
  });

  it("knows every id that a test names", () => {
    expect([...found.keys()].filter((id) => !known.has(id))).toEqual([]);
  });

  it("lists no id twice", () => {
    expect(known.size).toBe(statements5.length + statements311.length);
  });

  it("is what docs/mqtt-conformance.md says", () => {
    const generated = table();
    if (process.env["MESS_WRITE_DOCS"] === "1") writeFileSync(documentPath, generated);
    expect(
      readFileSync(documentPath, "utf8") === generated,
      "run it with MESS_WRITE_DOCS=1 to write the page anew",
    ).toBe(true);
  });
});
