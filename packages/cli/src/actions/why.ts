import type { WhyOptions } from "../commands/why.ts";
import type { Io } from "../io.ts";
import { painter } from "../terminal/colour.ts";
import { print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { objectFrom, textField } from "./answer.ts";

export interface Question {
  readonly principal: string;
  readonly action: string;
  readonly topic: string;
}

export async function why(io: Io, question: Question, options: WhyOptions): Promise<void> {
  const administration = await administer(io, options);
  const query = new URLSearchParams({ ...question });
  const answer = objectFrom(await administration.request({ method: "GET", path: `/v1/why?${query}` }));
  const allowed = answer["allowed"] === true;
  const because = textField(answer, "because");
  const role = typeof answer["role"] === "string" ? answer["role"] : undefined;
  if (options.json === true) return printJson(io, { allowed, because, ...(role !== undefined && { role }) });
  const paint = painter({ env: io.env, isTTY: io.stdout.isTTY });
  const verdict = allowed ? paint("green", "ALLOW") : paint("red", "DENY ");
  // The sentence names the role already.
  await print(io, `${verdict}  ${printable(because)}\n`);
}
