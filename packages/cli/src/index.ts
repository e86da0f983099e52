export { ExitCode } from "./exit-code.ts";
export { Interruption, type Io } from "./io.ts";
export { createProgram } from "./program.ts";
export { run } from "./run.ts";
