import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { KekExportOptions } from "../commands/kek.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { note, print } from "../terminal/print.ts";
import { loadBroker } from "./broker-library.ts";

export async function exportKey(io: Io, options: KekExportOptions): Promise<void> {
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  const { exportKek } = await loadBroker();
  const text = `${(await exportKek({ data, flags: kekFlags(options), env: io.env })).trimEnd()}\n`;
  if (options.out === undefined) return print(io, text);
  const path = resolve(io.cwd, options.out);
  try {
    await writeFile(path, text, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists ? new CliError(ExitCode.inputOutput, `${path} exists: a key does not overwrite a file`) : error;
  }
  note(io, `key-encryption key of ${data} written to ${path}; keep it apart from the data`);
}
