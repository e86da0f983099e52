/**
 * Writes docs/vectors/signing.json: signed messages made by `jose`, which is not ours, and what must be refused. With
 * `--check` writes nothing and exits 1 when the file is not current. Run with `npx tsx tools/signing-vectors.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { keyVectors, refusedKeys } from "./signing-vectors/keys.ts";
import { messageVectors } from "./signing-vectors/message-vectors.ts";

const file = new URL("../docs/vectors/signing.json", import.meta.url);
const wanted = `${JSON.stringify(
  {
    about:
      "Signed messages of mess (docs/signing.md). Bytes are base64url. The keys are those of RFC 8032 7.1, for tests only.",
    windowSeconds: 300,
    keys: keyVectors,
    messages: await messageVectors(),
    refusedPublicKeys: refusedKeys,
  },
  undefined,
  2,
)}\n`;

if (read() !== wanted) {
  if (process.argv.includes("--check")) {
    console.error("docs/vectors/signing.json is not current: run npx tsx tools/signing-vectors.ts");
    process.exitCode = 1;
  } else {
    writeFileSync(file, wanted);
    console.log("wrote docs/vectors/signing.json");
  }
}

function read(): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
