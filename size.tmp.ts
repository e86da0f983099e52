import { bundle } from "./test/sdk/bundle.ts";
console.log((await bundle('export * from "@mess/client";')).gzipBytes);
