/** A copy of everything, while it serves. */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Backup } from "../../../../model/backup.ts";
import { nothing } from "../fields.ts";
import { type Route, route } from "../route.ts";

const MEDIA_TYPE = "application/x-tar";
/** No Content-Length: an archive of data that turn out to be damaged ends early, and says why. */
const BYTES_HEADER = "mess-backup-bytes";

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
          [BYTES_HEADER]: String(backup.bytes),
          "content-disposition": 'attachment; filename="mess-backup.tar"',
        };
        return { status: 200, mediaType: MEDIA_TYPE, headers, stream: (outgoing) => send(backup, outgoing) };
      },
    }),
  ];
}

/** Piece by piece: the archive is as large as the journal. What breaks off ends the connection, and the client sees that. */
function send(backup: Backup, outgoing: ServerResponse): void {
  pipeline(Readable.from(backup.chunks, { highWaterMark: 1 }), outgoing).catch(() => backup.close());
}
