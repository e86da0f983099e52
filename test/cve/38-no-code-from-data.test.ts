// LESSONS 38, EMQX CVE-2025-52136, ActiveMQ CVE-2023-46604, Redis CVE-2025-49844. Elsewhere a plugin, a class name or a
// script came in through a client or an administrator, and ran. Here nothing is loaded and no text becomes code: the
// process cannot, by a flag it starts with.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { unique } from "../support/names.ts";
import { useField } from "./support.ts";

const field = useField();

it("the process runs with the flag, and keeps it", () => {
  const { arena } = field;
  const commandLine = readFileSync(`/proc/${arena.server.pid}/cmdline`, "utf8").split("\0");
  expect(commandLine).toContain("--disallow-code-generation-from-strings");
});

it("schemas, names and bodies that look like code are data", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const marker = unique("ran");
  const code = `process.stderr.write("${marker}!")`;
  const pieces = [
    `require("child_process").execSync("echo ${marker}!")`,
    `\${${code}}`,
    `constructor.constructor('${code}')()`,
    `data:text/javascript,${code}`,
    `{{${code}}}`,
    `<%= ${code} %>`,
  ];
  const seen = await arena.observe();
  for (const piece of pieces) {
    const schemas = [
      { type: "string", pattern: piece },
      { $ref: piece },
      { $id: piece, type: "object", properties: { [piece]: { const: piece } } },
      { type: "object", required: ["__proto__", "constructor"], patternProperties: { [piece]: true } },
    ];
    for (const schema of schemas) {
      const path = `/v1/topics/${encodeURIComponent(owner.topic(unique("s")))}`;
      const { status } = await arena.ask(owner, path, { method: "PUT", body: { schema } });
      expect(status, piece).toBeLessThan(500);
    }
    const path = `/v1/messages?topic=${encodeURIComponent(owner.topic("x"))}`;
    const headers = { "content-type": "application/javascript" };
    await arena.ask(owner, path, { method: "POST", body: piece, headers });
    for (const route of ["/v1/plugins", "/v1/rules", "/v1/script", "/eval", "/v1/policy"]) {
      const { status } = await arena.ask(owner, route, { method: "PUT", body: { code: piece } });
      expect([400, 401, 403, 404, 405], route).toContain(status);
    }
    for (const door of arena.doors) {
      const client = await arena.connect(owner, { clientId: piece.slice(0, 100) }, door);
      const userProperty: [string, string][] = [["code", piece]];
      await client.publish({ topic: owner.topic("x"), payload: piece, qos: 1, properties: { userProperty } });
    }
  }
  expect(seen.text()).not.toContain(`${marker}!`);
});

it("no source makes code from text", () => {
  const packages = fileURLToPath(new URL("../../packages", import.meta.url));
  const sources = (readdirSync(packages, { recursive: true }) as string[]).filter(
    (name) => /^(broker|wire|cli)\/src\/.*\.ts$/.test(name) && !/\.(test|test-data|bench)\.ts$/.test(name),
  );
  const makesCode = /\beval\(|new Function\(|from "(node:)?vm"|import\((?!["'])/;
  expect(sources.filter((name) => makesCode.test(readFileSync(join(packages, name), "utf8")))).toEqual([]);
  expect(sources.length).toBeGreaterThan(100);
});
