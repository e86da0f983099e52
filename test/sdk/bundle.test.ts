import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as browser from "../../packages/client/src/browser.ts";
import * as node from "../../packages/client/src/index.ts";
import { bundle } from "./bundle.ts";

/** What a page should have to load at most. */
const gzipBytesMax = 25_000;

describe("the client in a browser", () => {
  it(`is less than ${gzipBytesMax} bytes, compressed, and brings nothing of others`, async () => {
    const { gzipBytes, inputs, code } = await bundle('export * from "@mess/client";');
    expect(gzipBytes).toBeLessThan(gzipBytesMax);
    expect(inputs.filter((path) => !/^(packages\/(client|wire)\/src\/|<stdin>)/u.test(path))).toEqual([]);
    expect(code).not.toMatch(/\bnode:|\brequire\(|\bprocess\./u);
  });

  it("has what it has in Node, but the plain MQTT client", () => {
    const missing = Object.keys(node).filter((name) => !(name in browser));
    expect(missing.sort()).toEqual(["MqttClient", "connectMqtt", "isLoopback", "parseAddress", "passwordVerifier"]);
  });

  it("is what the package's condition for browsers names", () => {
    const file = new URL("../../packages/client/package.json", import.meta.url);
    const { exports } = JSON.parse(readFileSync(file, "utf8")) as { exports: Record<string, Record<string, unknown>> };
    expect(exports["."]?.["browser"]).toEqual({ types: "./dist/browser.d.ts", default: "./dist/browser.js" });
    // The first condition that fits counts.
    expect(Object.keys(exports["."] ?? {})).toEqual(["browser", "types", "default"]);
  });

  it("says what to use instead of a socket", async () => {
    await expect(browser.connect("mqtts://localhost")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      hint: /wss:/u,
    });
  });
});
