import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { flagOf, serveOptions } from "../../broker/src/config/serve-options.ts";
import { allNodes, commandTree } from "./completion/command-tree.ts";
import { documentation } from "./documentation.ts";
import { createProgram } from "./program.ts";
import { testIo } from "./test-io.test-data.ts";

const program = createProgram(testIo({ cwd: "/" }).io, "0.0.0");

it("docs/cli.md is current (if not: npx tsx packages/cli/src/write-documentation.ts)", () => {
  const written = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
  expect(written).toBe(documentation(program));
});

it("serve has a flag for every option of the server, and no other", () => {
  const serve = allNodes(commandTree(program)).find(({ path }) => path === "serve");
  const flags = serve?.options.map(({ long }) => long).filter((flag) => flag !== "--help" && flag !== "--config");
  expect(flags?.sort()).toEqual(serveOptions.map(flagOf).sort());
});

it("every command and option is described, and none takes a secret", () => {
  for (const { path, summary, options } of allNodes(commandTree(program))) {
    expect(summary, path).not.toBe("");
    for (const { long, description } of options) {
      expect(description, `${path} ${long}`).not.toBe("");
      const isOrderingKey = long === "--key" && description.startsWith("ordering key");
      if (!isOrderingKey) expect(long, path).not.toMatch(/^--(secret|password|token|key|kek)$/u);
    }
  }
});
