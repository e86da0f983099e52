import type { Io } from "../io.ts";
import { Administration } from "../target/administration.ts";
import { resolveTarget, type TargetOptions } from "../target/target.ts";

/** The administration of the server the options lead to. */
export async function administer(io: Io, options: TargetOptions): Promise<Administration> {
  const target = await resolveTarget(options, io);
  return new Administration(target, io.watchSignals());
}
