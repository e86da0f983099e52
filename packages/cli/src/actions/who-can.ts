import type { WhoCanOptions } from "../commands/who-can.ts";
import type { Io } from "../io.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { objectFrom, objectsField, textField } from "./answer.ts";

export async function whoCan(
  io: Io,
  question: { readonly action: string; readonly topic: string },
  options: WhoCanOptions,
): Promise<void> {
  const administration = await administer(io, options);
  const query = new URLSearchParams({ action: question.action });
  if (question.topic !== "") query.set("topic", question.topic);
  const answer = objectFrom(await administration.request({ method: "GET", path: `/v1/who-can?${query}` }));
  const holders = objectsField(answer, "holders");
  if (options.json === true) {
    for (const holder of holders) await printJson(io, holder);
    return;
  }
  if (holders.length === 0) return note(io, "nobody");
  const rows = holders.map((holder) => [textField(holder, "principal"), textField(holder, "because")]);
  await print(io, formatTable([{ title: "PRINCIPAL" }, { title: "BECAUSE" }], rows));
}
