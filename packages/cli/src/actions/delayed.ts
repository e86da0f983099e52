import type { ConfirmedOptions, ListOptions } from "../commands/list-options.ts";
import type { Io } from "../io.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, printJson } from "../terminal/print.ts";
import { formatAge, formatBytes } from "../units.ts";
import { administer } from "./administer.ts";
import { shownField } from "./answer.ts";
import { allPages, printList } from "./pages.ts";

export async function listDelayed(io: Io, options: ListOptions): Promise<void> {
  const administration = await administer(io, options);
  const now = Date.now();
  await printList(io, options, {
    items: allPages(administration, { path: "/v1/delayed", items: "messages" }),
    columns: [
      { title: "OFFSET", align: "right" },
      { title: "TOPIC" },
      { title: "DUE (UTC)" },
      { title: "IN", align: "right" },
      { title: "SIZE", align: "right" },
      { title: "PUBLISHER" },
    ],
    row: (message) => {
      const due = Date.parse(shownField(message, "dueAt"));
      const { bytes } = message;
      return [
        shownField(message, "offset"),
        shownField(message, "topic"),
        Number.isNaN(due) ? "" : new Date(due).toISOString().slice(0, 19).replace("T", " "),
        Number.isNaN(due) ? "" : formatAge(due - now),
        typeof bytes === "number" ? formatBytes(bytes) : "",
        shownField(message, "publisher"),
      ];
    },
    none: "no messages are delayed",
  });
}

export async function cancelDelayed(io: Io, offset: number, options: ConfirmedOptions): Promise<void> {
  if (!(await confirm(io, `cancel the delayed message ${offset}`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  const hints = { 404: "it may have been delivered already; mess delayed ls lists those that wait" };
  await administration.request({ method: "DELETE", path: `/v1/delayed/${offset}`, hints });
  if (options.json === true) return printJson(io, { offset, cancelled: true });
  note(io, `the delayed message ${offset} is cancelled`);
}
