import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

export interface ColourWorld {
  readonly env: NodeJS.ProcessEnv;
  readonly isTTY: boolean | undefined;
}

/** NO_COLOR and TERM=dumb switch it off, FORCE_COLOR on (unless 0); otherwise only a terminal has colours. */
export function coloursWanted({ env, isTTY }: ColourWorld): boolean {
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTTY === true && env["TERM"] !== "dumb" && env["CI"] === undefined;
}

/** A painter that does nothing where colours are not wanted. */
export function painter(world: ColourWorld): (style: Style, text: string) => string {
  if (!coloursWanted(world)) return (_style, text) => text;
  // The decision was made above: styleText must not look at the process's own stdout.
  return (style, text) => styleText(style, text, { validateStream: false });
}
