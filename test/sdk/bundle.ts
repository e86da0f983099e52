/** The client as a page loads it: one file, minified, from the package's own entry for browsers. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root: string = fileURLToPath(new URL("../../", import.meta.url));

export interface Bundle {
  readonly code: string;
  readonly gzipBytes: number;
  /** Files that are in it. */
  readonly inputs: readonly string[];
}

/** `entry` is TypeScript that imports `@mess/client`. */
export async function bundle(entry: string, format: "esm" | "iife" = "esm"): Promise<Bundle> {
  const result = await build({
    stdin: { contents: entry, resolveDir: root, loader: "ts" },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format,
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "silent",
    // The sources, and not what was compiled of them; the condition `browser` of package.json leads to the same entry.
    alias: {
      "@mess/client": "./packages/client/src/browser.ts",
      "@mess/wire": "./packages/wire/src/index.ts",
    },
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error("esbuild wrote nothing");
  return {
    code: file.text,
    gzipBytes: gzipSync(file.contents, { level: 9 }).length,
    inputs: Object.keys(result.metafile.inputs),
  };
}
