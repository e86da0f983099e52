import { resolve } from "node:path";
import { CliError, configurationError } from "../cli-error.ts";
import type { PolicyApplyOptions, PolicyShowOptions } from "../commands/policy.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import type { Administration } from "../target/administration.ts";
import { readSmallFile } from "../target/read-small-file.ts";
import { painter } from "../terminal/colour.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, numberField, objectFrom } from "./answer.ts";
import { policyToml } from "./policy-toml.ts";
import { readPayload } from "./read-stdin.ts";

const policyBytesMax = 8 * 1024 * 1024;

export async function applyPolicy(io: Io, file: string, options: PolicyApplyOptions): Promise<void> {
  const policy = await readPolicy(io, file);
  const administration = await administer(io, options);
  const planned = await put(administration, policy, true);
  if (options.dryRun === true || planned.lines.length === 0) return report(io, planned, options);
  const asking = options.yes !== true && io.stdin.isTTY === true && file !== "-";
  if (asking) {
    await printLines(io, planned.lines);
    if (!(await confirm(io, "apply this", false))) return note(io, "nothing was changed");
  } else {
    // Without a terminal this needs --yes; the call refuses then.
    await confirm(io, "replacing the policy", options.yes ?? false);
  }
  const outcome = await put(administration, policy, false);
  await report(io, asking ? { ...outcome, lines: [] } : outcome, options);
}

interface Change {
  readonly lines: readonly string[];
  readonly applied: boolean;
  /** Of a dry run: what was asked of late, and would be answered differently. */
  readonly decisions?: AnswerObject;
}

async function put(administration: Administration, policy: unknown, dryRun: boolean): Promise<Change> {
  const path = `/v1/policy?dryRun=${dryRun}`;
  const answer = objectFrom(await administration.request({ method: "PUT", path, body: policy }));
  const { decisions } = answer;
  return {
    lines: linesOf(answer["lines"]),
    applied: answer["applied"] === true,
    ...(decisions !== undefined && { decisions: objectFrom(decisions) }),
  };
}

function linesOf(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter((line) => typeof line === "string");
}

async function report(io: Io, change: Change, options: PolicyApplyOptions): Promise<void> {
  if (options.json === true) return printJson(io, change);
  await printLines(io, change.lines);
  if (options.dryRun === true && change.decisions !== undefined) await printReview(io, change.decisions);
  if (change.applied) note(io, "the policy is applied");
  else note(io, change.lines.length === 0 ? "the policy is the same already" : "dry run: nothing was changed");
}

async function printReview(io: Io, decisions: AnswerObject): Promise<void> {
  const changed = linesOf(decisions["changed"]);
  const tried = numberField(decisions, "tried");
  const more = numberField(decisions, "more");
  note(io, `of ${tried} decisions made of late ${changed.length + more} would change`);
  await printLines(io, changed);
  if (more > 0) note(io, `and ${more} more`);
}

async function printLines(io: Io, lines: readonly string[]): Promise<void> {
  const paint = painter({ env: io.env, isTTY: io.stdout.isTTY });
  const styles = { "+": "green", "-": "red", "~": "yellow" } as const;
  for (const line of lines) {
    const sign = line[0] ?? "";
    const text = printable(line);
    await print(io, `${sign === "+" || sign === "-" || sign === "~" ? paint(styles[sign], text) : text}\n`);
  }
}

export async function showPolicy(io: Io, options: PolicyShowOptions): Promise<void> {
  const administration = await administer(io, options);
  const policy = objectFrom(await administration.request({ method: "GET", path: "/v1/policy" }));
  if (options.json === true) return printJson(io, policy);
  await print(io, policyToml(policy));
}

async function readPolicy(io: Io, file: string): Promise<unknown> {
  const text =
    file === "-"
      ? Buffer.from(await readPayload(io)).toString("utf8")
      : await readSmallFile(resolve(io.cwd, file), "the policy file", policyBytesMax);
  const name = file === "-" ? "stdin" : file;
  if (file.endsWith(".json")) {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw configurationError(`${name} is not JSON: ${error instanceof Error ? error.message : ""}`);
    }
  }
  const { parse, TomlError } = await import("smol-toml");
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /u, "") ?? "";
    throw new CliError(
      ExitCode.configuration,
      `${name}:${error.line}:${error.column}: ${what}`,
      "the policy must be TOML",
    );
  }
}
