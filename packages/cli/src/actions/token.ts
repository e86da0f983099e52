import { usageError } from "../cli-error.ts";
import type { TokenCreateOptions, TokenListOptions } from "../commands/token.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { formatTime } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, objectFrom, objectsField, shownField, textField } from "./answer.ts";
import { handOut } from "./hand-out.ts";

export async function createToken(io: Io, options: TokenCreateOptions): Promise<void> {
  const allow = options.allow.map(readGrant);
  const administration = await administer(io, options);
  const body = { expiresIn: options.expires, ...(allow.length > 0 && { allow }) };
  const answer = objectFrom(await administration.request({ method: "POST", path: "/v1/tokens", body }));
  await handOut(io, answer, { ...options, what: "token", revoke: "mess token revoke" });
}

/** `subscribe=orders/#`, as a policy has it. A filter may hold `=`. */
function readGrant(text: string): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1)
    throw usageError(`"${text}" is not a grant`, "write action=filter, as subscribe=orders/#");
  return { [text.slice(0, at)]: text.slice(at + 1) };
}

export async function listTokens(io: Io, options: TokenListOptions): Promise<void> {
  const administration = await administer(io, options);
  const answer = objectFrom(await administration.request({ method: "GET", path: "/v1/tokens" }));
  const tokens = objectsField(answer, "tokens");
  if (options.json === true) {
    for (const token of tokens) await printJson(io, token);
    return;
  }
  const rows = tokens.map((token) => [
    textField(token, "id"),
    textField(token, "principal"),
    formatTime(token["createdAt"]),
    formatTime(token["expiresAt"]),
    shownScope(token),
  ]);
  const titles = ["ID", "PRINCIPAL", "CREATED (UTC)", "ENDS (UTC)", "MAY"];
  await print(
    io,
    formatTable(
      titles.map((title) => ({ title })),
      rows,
    ),
  );
}

function shownScope(token: AnswerObject): string {
  if (token["allow"] === undefined) return "all its principal may";
  const grants = objectsField(token, "allow").map((grant) => {
    const action = shownField(grant, "action");
    return action.startsWith("admin.") ? action : `${action}=${shownField(grant, "filter")}`;
  });
  return grants.length === 0 ? "nothing" : grants.join(" ");
}

export async function revokeToken(io: Io, id: string, options: TargetOptions): Promise<void> {
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: `/v1/tokens/${encodeURIComponent(id)}` });
  note(io, `token ${id} is revoked`);
}
