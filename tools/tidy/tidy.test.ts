import { describe, expect, it } from "vitest";
import { checkCode } from "./code-rules.ts";
import { checkDocument } from "./document-rules.ts";
import type { Finding } from "./finding.ts";
import { checkLayers } from "./layers.ts";
import { checkPurity } from "./purity.ts";
import { parseSource } from "./source-file.ts";
import { checkText } from "./text-rules.ts";

const broker = "packages/broker/src";
const messages = (findings: readonly Finding[]): string[] => findings.map((finding) => finding.message);

describe("layers", () => {
  it.each([
    ["core/machine.ts", "../storage/journal.ts", "core may not import storage"],
    ["input/listener.ts", "../core/machine.ts", "input may not import core"],
    ["input/listener.ts", "../topics/topic-table.ts", "input may not import topics"],
    ["storage/journal.ts", "../core/state.ts", "storage may not import core"],
    ["topics/topic-name.ts", "../subscriptions/backlog.ts", "topic-grammars may not import subscriptions"],
    ["topics/topic-table.ts", "../security/authorize.ts", "topics may not import security"],
    ["model/record.ts", "../config/limits.ts", "model may not import config"],
    ["model/record.ts", "./record.test-data.ts", "model may not import test files"],
    ["core/machine.ts", "@mess/wire", "core may not import wire"],
    ["engine.ts", "./broker.ts", "engine may not import composition"],
    ["broker.ts", "./main.ts", "composition may not import main"],
    ["surprise/x.ts", "../model/record.ts", '"surprise" has no place in the arrow'],
  ])("refuses %s importing %s", (path, specifier, expected) => {
    const file = parseSource(`${broker}/${path}`, `import { x } from "${specifier}";\nexport const y = x;\n`);
    expect(messages(checkLayers(file)).join()).toContain(expected);
  });

  it.each([
    ["core/machine.ts", "../topics/topic-name.ts"],
    ["core/machine.ts", "./state.ts"],
    ["input/doors/mqtt/handle-connect.ts", "../../../topics/topic-name.ts"],
    ["input/doors/mqtt/handle-connect.ts", "@mess/wire"],
    ["topics/topic-table.ts", "./topic-name.ts"],
    ["topics/topic-name.ts", "../model/topic-pattern.ts"],
    ["core/state.ts", "../host/host.ts"],
    ["engine.ts", "./core/machine.ts"],
    ["broker.ts", "./storage/journal.ts"],
    ["data-home.ts", "./storage/journal.ts"],
    ["main.ts", "./broker.ts"],
    ["index.ts", "./main.ts"],
    ["core/machine.test.ts", "../storage/journal.ts"],
  ])("lets %s import %s", (path, specifier) => {
    const file = parseSource(`${broker}/${path}`, `import { x } from "${specifier}";\nexport const y = x;\n`);
    expect(messages(checkLayers(file))).toEqual([]);
  });

  it("sees re-exports, types and dynamic imports", () => {
    const text = [
      'export { a } from "../storage/a.ts";',
      'export type { B } from "../storage/b.ts";',
      'export const c = (): Promise<unknown> => import("../storage/c.ts");',
      'export type D = import("../storage/d.ts").D;',
    ].join("\n");
    expect(checkLayers(parseSource(`${broker}/core/x.ts`, text)).map((finding) => finding.line)).toEqual([1, 2, 3, 4]);
  });
});

describe("purity", () => {
  it.each([
    "export const now = Date.now();",
    "export const luck = Math.random();",
    "export const id = process.pid;",
    "setTimeout(() => {}, 1);",
    'export const page = fetch("x");',
    "export async function f(): Promise<void> {}",
    'import { readFileSync } from "node:fs"; export const f = readFileSync;',
    'import { z } from "zod"; export const s = z;',
  ])("refuses in a pure room: %s", (text) => {
    expect(checkPurity(parseSource(`${broker}/core/x.ts`, text)).length).toBeGreaterThan(0);
    expect(checkPurity(parseSource(`${broker}/input/x.ts`, text))).toEqual([]);
  });

  it("knows a member of ours from a global", () => {
    const text =
      "export interface J { fetch(seq: number): void }\nexport const get = (j: J): void => j.fetch(1); // Date";
    expect(checkPurity(parseSource(`${broker}/core/x.ts`, text))).toEqual([]);
  });
});

describe("code", () => {
  it.each([
    'eval("1");',
    'new Function("return 1");',
    "export const load = (name: string): Promise<unknown> => import(name);",
    'import vm from "node:vm"; export const v = vm;',
    'import { a } from "./a"; export const b = a;',
    "export const a = 1 as any;",
  ])("refuses: %s", (text) => {
    expect(checkCode(parseSource(`${broker}/input/x.ts`, text))).toHaveLength(1);
  });
});

describe("text", () => {
  it.each([
    ["// TO" + "DO: later", "no-open-ends"],
    ["// @ts-" + "ignore", "no-switched-off-checks"],
    ["see /ho" + "me/someone/mess", "no-machine-paths"],
    ["https://" + "registry.example.org/x", "no-registry-hosts"],
    ["const x = 1; ", "no-trailing-space"],
  ])("refuses: %s", (text, rule) => {
    expect(checkText("docs/x.md", `fine\n${text}\n`)).toMatchObject([{ line: 2, rule }]);
  });

  it("lets ordinary paths be", () => {
    expect(checkText("docs/x.md", "run /usr/bin/node in ./work/x; https://example.org/home/x; ~/work/x")).toEqual([]);
  });

  it("wants names that say something", () => {
    expect(checkText("packages/broker/src/input/utils.ts", "")).toMatchObject([{ rule: "file-name" }]);
  });
});

describe("documents", () => {
  const exists = (path: string): boolean => ["docs", "docs/mqtt.md", "packages/wire/src/index.ts"].includes(path);

  it("finds dead links and mentions", () => {
    const text = "[a](mqtt.md#x) [b](gone.md) `packages/wire/src/index.ts` `packages/gone.ts` [c](https://example.org)";
    expect(messages(checkDocument("docs/x.md", text, exists))).toEqual([
      "nothing at docs/gone.md",
      "nothing at packages/gone.ts",
    ]);
  });
});
