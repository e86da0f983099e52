import { join } from "node:path";
import { type DrainFigures, drainBacklog, leaveSession, type QueueOptions, queueBacklog } from "./load/backlog.ts";
import { startMess } from "./mess.ts";
import { memory } from "./process-figures.ts";

export interface BacklogOptions extends QueueOptions {
  /** An empty or absent directory. */
  readonly directory: string;
  /** How the server ends between queueing and draining. */
  readonly end: "SIGTERM" | "SIGKILL";
}

export interface BacklogFigures extends DrainFigures {
  readonly queueSeconds: number;
  /** Bytes resident: when the server was ready, and the most while it queued. */
  readonly residentAtStart: number;
  readonly peakQueueing: number;
  /** 0 after SIGKILL. */
  readonly stopSeconds: number;
  /** From the start of the second process to its ready line. */
  readonly restartSeconds: number;
  readonly residentAfterRestart: number;
  readonly peakDraining: number;
}

/** A session goes away, messages gather, the server ends and starts again, the session comes back. */
export async function runBacklog(options: BacklogOptions): Promise<BacklogFigures> {
  const dataDir = join(options.directory, "data");
  const first = await startMess({ dataDir });
  const residentAtStart = memory(first.process.pid).resident;
  let queueSeconds: number;
  try {
    await leaveSession(first.target);
    queueSeconds = await queueBacklog(first.target, options);
  } catch (error) {
    await first.process.kill();
    throw error;
  }
  const peakQueueing = memory(first.process.pid).peak;
  const stopSeconds = options.end === "SIGTERM" ? await first.process.stop() : 0;
  await first.process.kill();
  const second = await startMess({ dataDir });
  try {
    const residentAfterRestart = memory(second.process.pid).resident;
    const drain = await drainBacklog(second.target, options);
    const peakDraining = memory(second.process.pid).peak;
    const restartSeconds = second.startSeconds;
    return {
      queueSeconds,
      residentAtStart,
      peakQueueing,
      stopSeconds,
      restartSeconds,
      residentAfterRestart,
      peakDraining,
      ...drain,
    };
  } finally {
    await second.process.kill();
  }
}
