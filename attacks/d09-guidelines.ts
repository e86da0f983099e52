import { chmodSync } from "node:fs";
import { join } from "node:path";
import { messAt } from "../test/support/cli.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";

interface Finding {
  readonly id: string;
  readonly status: "ok" | "warn" | "fail";
}

export const d09 = attack({
  id: "D9",
  title: "Clear security guidelines for deployment",
  threat: "An installation is wrong in a way that the text warns of, and nobody notices.",
  mitigation:
    "`mess doctor` looks at what the text says, names each finding and how to mend it, and ends with an error when one is grave.",
  ways: ["process"],
  steps: [
    {
      name: "installations that are wrong, one way at a time",
      run: wrongInstallations,
      elsewhere: hasNone("has no such tool"),
    },
  ],
});

async function wrongInstallations(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const { dataDir } = arena.broker;
  const healthy = await examine(arena);
  const grave = healthy.findings.filter(({ status }) => status === "fail").map(({ id }) => id);
  if (grave.length > 0) throw new Error(`a healthy installation fails: ${grave.join()}`);
  const modes: readonly (readonly [string, string, number, number])[] = [
    ["data.permissions", dataDir, 0o755, 0o700],
    ["data.files", join(dataDir, "admin.key"), 0o644, 0o600],
    ["data.kek", `${dataDir}.kek`, 0o444, 0o400],
  ];
  for (const [id, path, loose, right] of modes) {
    chmodSync(path, loose);
    const { findings, code } = await examine(arena);
    chmodSync(path, right);
    hold(
      findings.some((each) => each.id === id && each.status === "fail"),
      `${id}: ${path} is open, and doctor is content`,
    );
    hold(code !== 0, `${id} fails, and doctor ends with 0`);
  }
  for (const [name, value] of [
    ["MESS_INSECURE_DEV", "true"],
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ] as const) {
    const { findings } = await examine(arena, { [name]: value });
    const told = findings.some(({ id, status }) => id === "options.weakening" && status !== "ok");
    hold(told, `${name} is set, and doctor is content`);
  }
  const lying = findingOf(healthy.findings, "data.admin-key");
  hold(lying?.status === "warn", "the admin key lies in the data directory, and doctor is content");
}

const findingOf = (findings: readonly Finding[], wanted: string): Finding | undefined =>
  findings.find(({ id }) => id === wanted);

async function examine(
  arena: Arena,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly findings: readonly Finding[]; readonly code: number | null }> {
  const { stdout, code, stderr } = await messAt(arena.server, ["doctor", "--json"], { env });
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  if (lines.length === 0) throw new Error(`doctor says nothing: ${stderr}`);
  return { findings: lines.map((line) => JSON.parse(line) as Finding), code };
}
