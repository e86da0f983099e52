import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { attack, hasNone, hold } from "./support/attack.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const notOurs = hasNone("what others depend on is not judged here");

export const e14 = attack({
  id: "E14",
  title: "Supply chain of the npm tree",
  threat:
    "A package that was not meant gets in: by a range, a second source, an import that nobody listed, or code that is fetched or made at run time.",
  mitigation:
    "What the sources import is what the manifests list and the policy names; Node runs with code generation from strings switched off.",
  ways: ["source", "process"],
  steps: [
    { name: "imports that no manifest lists", run: unlisted, elsewhere: notOurs },
    { name: "code from strings in the running process", run: codeGeneration, elsewhere: notOurs },
  ],
});

async function unlisted(): Promise<void> {
  let found = 0;
  for (const name of ["wire", "broker", "client", "cli"]) {
    const directory = join(root, "packages", name);
    const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
      dependencies?: Readonly<Record<string, string>>;
      peerDependencies?: Readonly<Record<string, string>>;
      name: string;
    };
    const listed = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}),
    ]);
    for (const file of readdirSync(join(directory, "src"), { recursive: true }) as string[]) {
      if (!file.endsWith(".ts") || /\.(test|test-data|bench)\.ts$/.test(file)) continue;
      const text = readFileSync(join(directory, "src", file), "utf8");
      for (const { fileName: specifier } of ts.preProcessFile(text).importedFiles) {
        if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
        const [scope = "", rest = ""] = specifier.split("/");
        const wanted = scope.startsWith("@") ? `${scope}/${rest}` : scope;
        found += 1;
        // the test double of the client brings the broker, which its manifest must not
        if (file.startsWith("testing") && wanted === "@mess/broker") continue;
        hold(listed.has(wanted) || wanted === manifest.name, `packages/${name}/src/${file} imports ${wanted}`);
      }
    }
  }
  if (found === 0) throw new Error("no imports were found");
}

async function codeGeneration(arena: { readonly broker: { readonly pid: number } }): Promise<void> {
  const line = readFileSync(`/proc/${arena.broker.pid}/cmdline`, "latin1").split("\0");
  hold(line.includes("--disallow-code-generation-from-strings"), `it runs as ${line.join(" ")}`);
}
