import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("checks payloads in a process that may not make code from strings (LESSONS 38)", async () => {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const script = `
    import { compileSchema } from ${JSON.stringify(new URL("./compile-schema.ts", import.meta.url).href)};
    const check = compileSchema({ properties: { a: { pattern: "^x+$", format: "email" } } });
    const is = (text) => check(Buffer.from(text)) === undefined;
    let refused = false;
    try { new Function("return 1"); } catch { refused = true; }
    console.log(JSON.stringify([is("{}"), is('{"a":"y"}'), refused]));`;
  const flags = [
    "--disallow-code-generation-from-strings",
    "--import",
    loader,
    "--input-type=module",
    "--eval",
    script,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 25_000 });
  expect(JSON.parse(stdout)).toEqual([true, false, true]);
});
