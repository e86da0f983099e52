/** A copy of everything, while it serves. */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Backup } from "../../../../model/backup.ts";
import { nothing } from "../fields.ts";
import { type Route, route } from "../route.ts";

const MEDIA_TYPE = "application/octet-stream";

export function backupRoutes(): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/backup",
      group: "Backup",
      permission: "admin.storage",
      longLived: true,
      summary: "A consistent copy of the data directory as an archive, for `mess restore`.",
      query: nothing,
      answers: { 200: { description: "The archive.", mediaType: MEDIA_TYPE } },
      problems: ["conflict", "unavailable", "too-many-requests"],
      handle: async ({ administration, caller, onGone }) => {
        const backup = await administration.backup(caller.principal);
        onGone(() => backup.close());
        const headers = {
          "content-length": String(backup.bytes),
          "content-disposition": 'attachment; filename="mess.backup"',
        };
        return { status: 200, mediaType: MEDIA_TYPE, headers, stream: (outgoing) => send(backup, outgoing) };
      },
    }),
  ];
}

/** What breaks off is shorter than it was announced to be: the client sees that. */
function send(backup: Backup, outgoing: ServerResponse): void {
  pipeline(Readable.from(backup.chunks), outgoing).catch(() => backup.close());
}
