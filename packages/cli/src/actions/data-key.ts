import type { DataKeyRotateOptions } from "../commands/data-key.ts";
import type { Io } from "../io.ts";
import { note, printJson } from "../terminal/print.ts";
import { administer } from "./administer.ts";
import { objectFrom } from "./answer.ts";

export async function rotateDataKey(io: Io, options: DataKeyRotateOptions): Promise<void> {
  const administration = await administer(io, options);
  const request = { method: "POST", path: "/v1/storage/rotate-data-key" } as const;
  const { key } = objectFrom(await administration.request(request));
  if (options.json === true) return printJson(io, { key });
  note(io, `what is written from now on is sealed with data key ${String(key)}`);
}
