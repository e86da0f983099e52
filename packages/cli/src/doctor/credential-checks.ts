import { objectFrom, objectsField, shownField } from "../actions/answer.ts";
import { CliError } from "../cli-error.ts";
import { describeError } from "../describe-error.ts";
import { ExitCode } from "../exit-code.ts";
import { Administration } from "../target/administration.ts";
import { formatTime } from "../units.ts";
import type { Finding, Patient } from "./finding.ts";

const dayMs = 86_400_000;
const daysWarn = 14;
/** Findings of keys one by one; the rest is a number. */
const shownMax = 10;

/** `keys.expiry`: keys that end soon and that nothing replaces. Needs admin.keys; without it there is no finding. */
export async function checkCredentials({ target, now, signal }: Patient): Promise<readonly Finding[]> {
  if (target?.httpUrl === undefined || target.key === undefined) return [];
  const id = "keys.expiry";
  try {
    const administration = new Administration(target, signal);
    const answer = objectFrom(await administration.request({ method: "GET", path: "/v1/keys" }));
    const ending = objectsField(answer, "keys").flatMap((key) => {
      const { expiresAt } = key;
      const isSoon = typeof expiresAt === "number" && expiresAt - now < daysWarn * dayMs;
      if (!isSoon || shownField(key, "replacedBy") !== "") return [];
      return [{ key: shownField(key, "id"), principal: shownField(key, "principal"), expiresAt }];
    });
    if (ending.length === 0)
      return [{ id, status: "ok", text: `no key ends in the next ${daysWarn} days without a successor` }];
    const findings = ending
      .sort((one, other) => one.expiresAt - other.expiresAt)
      .slice(0, shownMax)
      .map(({ key, principal, expiresAt }): Finding => {
        const text = `the key ${key} of ${principal} ends at ${formatTime(expiresAt)} UTC`;
        return { id, status: "warn", text, fix: `mess key rotate ${key}` };
      });
    const more = ending.length - findings.length;
    const rest: Finding = { id, status: "warn", text: `${more} more keys end soon`, fix: "mess key list" };
    return more > 0 ? [...findings, rest] : findings;
  } catch (error) {
    // Others see to keys, or the server is not there, which is a finding of its own.
    const isForOthers = error instanceof CliError && error.exitCode === ExitCode.notPermitted;
    const isAway = error instanceof CliError && error.exitCode === ExitCode.unreachable;
    if (isForOthers || isAway) return [];
    return [{ id, status: "warn", text: `the keys cannot be looked at: ${describeError(error).message}` }];
  }
}
