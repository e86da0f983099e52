import { readFileSync } from "node:fs";

/** The version of the package, from its package.json, which lies above both src and dist. */
export const version: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const found: unknown = (JSON.parse(text) as { version?: unknown }).version;
  return typeof found === "string" ? found : "0.0.0";
}
