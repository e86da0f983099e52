import { defineConfig } from "vitest/config";

// Tests of the parts run on the sources, so a package name must resolve to its source, not to dist.
const source = (name: string, entry = "index"): string =>
  new URL(`./packages/${name}/src/${entry}.ts`, import.meta.url).pathname;

export default defineConfig({
  resolve: {
    alias: {
      "@mess/wire": source("wire"),
      "@mess/broker/testing": source("broker", "testing"),
      "@mess/client/signing": source("client", "signing/index"),
      "@mess/client/proofs": source("client", "proofs/index"),
      "@mess/client/testing": source("client", "testing/index"),
      "@mess/broker": source("broker"),
      "@mess/client": source("client"),
    },
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "attacks/**/*.test.ts", "tools/**/*.test.ts"],
    testTimeout: 30_000,
    pool: "forks",
    maxWorkers: 3,
  },
});
