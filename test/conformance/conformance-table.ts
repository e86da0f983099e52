/** Builds `docs/mqtt-conformance.md` from the statements and the titles of the tests that show them. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Statement, statements5, statements311 } from "./statements.test-data.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
export const documentPath: string = fileURLToPath(new URL("../../docs/mqtt-conformance.md", import.meta.url));

export interface Evidence {
  readonly file: string;
  readonly words: string;
}

const idPattern = /\[(MQTT(?:311)?-\d+\.\d+\.\d+-\d+)\]/g;

/** Every string of the test files that holds an id, read as a title: ids, and the words that follow. */
export function evidence(): Map<string, Evidence[]> {
  const found = new Map<string, Evidence[]>();
  for (const file of readdirSync(here)
    .filter((name) => name.endsWith(".test.ts"))
    .toSorted()) {
    const source = readFileSync(`${here}/${file}`, "utf8");
    for (const [literal] of source.matchAll(/"[^"\n]*\[MQTT[^"\n]*"|`[^`\n]*\[MQTT[^`\n]*`/g)) {
      const words = literal
        .slice(1, -1)
        .replaceAll(idPattern, "")
        .replaceAll(/\$\{[^}]*\}\}?/g, "…")
        .replaceAll(/^[\s…)"]+|\s+$/g, "")
        .replaceAll("|", "\\|");
      for (const [, id] of literal.matchAll(idPattern)) {
        if (id === undefined) continue;
        found.set(id, [...(found.get(id) ?? []), { file, words }]);
      }
    }
  }
  return found;
}

function rows(list: readonly Statement[], prefix: string, found: Map<string, Evidence[]>): string[] {
  return list.map(([id, bound, words]) => {
    const tests = found.get(`${prefix}-${id}`) ?? [];
    // the one with the fewest ids' worth of words is usually the most to the point; two suffice for a reader
    const named = [...new Map(tests.map((test) => [`${test.file} ${test.words}`, test])).values()].filter(
      (test) => test.words !== "",
    );
    const shown = (named.length > 0 ? named : tests)
      .slice(0, 2)
      .map((test) => `\`${test.file}\`${test.words === "" ? "" : ` ${test.words}`}`);
    const more = named.length > 2 ? ` (and ${named.length - 2} more)` : "";
    const side = bound === "client" ? " *(client)*" : "";
    return `| ${id} | ${words}${side} | ${tests.length === 0 ? "—" : shown.join("; ") + more} |`;
  });
}

const head = ["| id | in our words | shown by (`test/conformance/`) |", "|---|---|---|"];

/** The document, from its hand-written beginning and end and the generated tables. */
export function table(): string {
  const found = evidence();
  const introduction = readFileSync(`${here}/introduction.md`, "utf8").trim();
  const declined = readFileSync(`${here}/declined.md`, "utf8").trim();
  return [
    introduction,
    "",
    declined,
    "",
    "## MQTT 5.0",
    "",
    ...head,
    ...rows(statements5, "MQTT", found),
    "",
    "## MQTT 3.1.1",
    "",
    ...head,
    ...rows(statements311, "MQTT311", found),
    "",
  ].join("\n");
}
