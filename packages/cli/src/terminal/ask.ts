import { createInterface } from "node:readline/promises";
import { ExitCode } from "../exit-code.ts";
import { Interruption, type Io } from "../io.ts";

/**
 * One line from the terminal, asked for on `output`. The end of input (Ctrl-D) is an empty answer.
 *
 * @throws Interruption on Ctrl-C: in its raw mode the terminal sends a byte, and no signal comes
 */
export async function ask(io: Io, question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: io.stdin, output, terminal: true });
  const ended = new Promise<string>((resolve, reject) => {
    lines.once("SIGINT", () => reject(new Interruption(ExitCode.interrupted)));
    lines.once("close", () => resolve(""));
  });
  try {
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}
