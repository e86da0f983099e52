// The examples of docs/mqtt.md, run one after the other as the page has them: mosquitto clients, Python paho, MQTT.js.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withPolicy } from "../support/declared.ts";
import { Server } from "../support/server.ts";
import { run, tool } from "../support/tools.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/mqtt.md"), "utf8");

interface Block {
  readonly language: string;
  readonly text: string;
}

interface Example extends Block {
  readonly title: string;
  /** What it prints; nothing where the page shows nothing. */
  readonly prints: string;
}

/** From the section about queues to the one about order everything is run. */
const part: string = page.slice(page.indexOf("\n## Queues"), page.indexOf("\n## Order"));

function examplesOf(markdown: string): { readonly policy: string; readonly examples: readonly Example[] } {
  const found = [...markdown.matchAll(/^#+ (?<title>.+)$|^```(?<language>\w+)\n(?<text>[\s\S]*?)^```$/gm)];
  let title = "";
  let policy = "";
  const examples: Example[] = [];
  found.forEach(({ groups = {} }, index) => {
    const { language, text = "" } = groups;
    if (groups["title"] !== undefined) title = groups["title"];
    if (language === "toml") policy = text;
    if (language === undefined || language === "toml" || language === "text") return;
    const next = found[index + 1]?.groups;
    examples.push({ title, language, text, prints: next?.["language"] === "text" ? (next["text"] ?? "") : "" });
  });
  return { policy, examples };
}

/** `…` stands for anything within a line. */
function pattern(prints: string): RegExp {
  const parts = prints.split("…").map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

// Debian's python has paho; another one on the PATH may not.
const python = tool("python3", ["/usr/bin"]) ?? "python3";
const missing: string[] = [];
for (const each of ["mosquitto_pub", "mosquitto_sub"]) if (tool(each) === undefined) missing.push(each);
if ((await run(python, ["-c", "import paho.mqtt.client"]).catch(() => ({ code: 1 }))).code !== 0) missing.push("paho");

const { policy, examples } = examplesOf(part);

describe.skipIf(missing.length > 0)(
  `examples of docs/mqtt.md${missing.length > 0 ? ` (not installed: ${missing.join(", ")})` : ""}`,
  () => {
    const home = mkdtempSync(join(tmpdir(), "mess-documented-"));
    let server: Server | undefined;

    beforeAll(async () => {
      server = await Server.start({ mode: "secure", args: withPolicy(policy) });
      // As in a clone where `npm start` runs: the data directory and the packages are here.
      symlinkSync(server.dataDir, join(home, "mess-data"));
      symlinkSync(join(root, "node_modules"), join(home, "node_modules"));
      mkdirSync(join(home, "scripts"));
    }, 30_000);

    afterAll(async () => {
      await server?.remove();
      rmSync(home, { recursive: true, force: true });
    });

    async function printed({ language, text }: Block): Promise<string> {
      // The port is the only thing that differs from what the reader has.
      const source = text.replaceAll("8883", String(server?.mqtt.port));
      const commands: Readonly<Record<string, readonly string[]>> = {
        sh: ["sh", "-eu", "-c", source],
        python: [python, "-c", source],
        js: [process.execPath, "example.mjs"],
      };
      const [command = "", ...args] = commands[language] ?? [];
      if (command === "") throw new Error(`the page has an example in ${language}, which nobody runs`);
      if (language === "js") writeFileSync(join(home, "example.mjs"), source);
      const ran = await run(command, args, {
        cwd: home,
        env: { HOME: home, XDG_CONFIG_HOME: join(home, ".config") },
        timeout: 30_000,
      });
      expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0, stderr: "" });
      return ran.stdout;
    }

    it("are there", () => {
      expect(examples.map(({ language }) => language)).toEqual(expect.arrayContaining(["sh", "python", "js"]));
      expect(examples.length).toBeGreaterThanOrEqual(9);
    });

    for (const [index, example] of examples.entries()) {
      it(`${index + 1}. ${example.title} (${example.language})`, async () => {
        expect(await printed(example)).toMatch(pattern(example.prints));
      }, 60_000);
    }
  },
);
