import type { ServeConfig } from "./config/serve-config.ts";
import type { KekOptions } from "./storage/kek.ts";

/** Where the key-encryption key is to come from. */
export function kekOptionsOf(config: ServeConfig): KekOptions {
  return {
    directory: config.data,
    ...(config.kekFile !== undefined && { kekFile: config.kekFile }),
    ...(config.kekFd !== undefined && { kekFd: config.kekFd }),
    ...(config.kekCommand !== undefined && { kekCommand: config.kekCommand }),
  };
}
