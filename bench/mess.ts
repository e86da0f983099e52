import { join } from "node:path";
import type { Target } from "./load/link.ts";
import { repository } from "./repository.ts";
import { StartedProcess } from "./started-process.ts";

export interface MessOptions {
  readonly dataDir: string;
  readonly tls?: { readonly port: number; readonly certificateFile: string; readonly keyFile: string };
}

export interface RunningMess {
  readonly process: StartedProcess;
  readonly target: Target;
  /** From the start of the process to its ready line. */
  readonly startSeconds: number;
}

const readyDeadlineMs = 120_000;

/** A mess server of this checkout, plain and open, durable as ever. Build it first. */
export async function startMess(options: MessOptions): Promise<RunningMess> {
  const { dataDir, tls } = options;
  const began = performance.now();
  const command = join(repository, "packages/cli/bin/mess");
  const ports = ["--mqtt-port", "0", "--http-port", "0"];
  const secure =
    tls === undefined
      ? []
      : ["--mqtts-port", String(tls.port), "--tls-cert", tls.certificateFile, "--tls-key", tls.keyFile];
  const server = new StartedProcess(command, [
    ...["serve", "--insecure-dev", "--data", dataDir, "--log-level", "warn"],
    ...ports,
    ...secure,
  ]);
  let port = 0;
  await server.until(() => {
    port = Number(/^mess ready mqtt:\/\/[^:]+:(\d+) /m.exec(server.output)?.[1] ?? 0);
    return port > 0;
  }, readyDeadlineMs);
  return { process: server, target: { host: "127.0.0.1", port }, startSeconds: (performance.now() - began) / 1_000 };
}
