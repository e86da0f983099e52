/** Starts of `mess serve` that must be refused. */
import { mess } from "../../test/support/cli.ts";
import { abreast } from "./abreast.ts";
import { hold } from "./attack.ts";

export interface RefusedStart {
  readonly what: string;
  readonly dataDir: string;
  readonly args?: readonly string[];
  /** Exit codes that are a refusal. */
  readonly codes: readonly number[];
  /** What the refusal must say. */
  readonly says?: string;
}

const startMs = 15_000;
export const allStartsRefused = (starts: readonly RefusedStart[]): Promise<void> => abreast(starts, startRefused);

async function startRefused({ what, dataDir, args = [], codes, says }: RefusedStart): Promise<void> {
  const ports = ["--mqtt-port", "0", "--http-port", "0"];
  const { code, stdout, stderr } = await mess(["serve", "--data", dataDir, ...ports, ...args], { timeout: startMs });
  hold(
    code !== null && codes.includes(code) && !stdout.includes("ready"),
    `${what}: the start ends with ${code} ${stdout}`,
  );
  hold(says === undefined || stderr.includes(says), `${what}: the refusal does not say ${says}: ${stderr}`);
}
