import type { Running } from "./brokers.ts";
import type { Figures } from "./figures.ts";
import { drainBacklog, leaveSession, queueBacklog } from "./load/backlog.ts";
import { delay } from "./load/clock.ts";
import { runFlood } from "./load/flood.ts";
import { openIdle } from "./load/idle.ts";
import { cpuSeconds, memory } from "./process-figures.ts";
import { type BacklogShape, type FloodShape, type IdleShape, payloadBytes, type Scenario } from "./scenarios.ts";

const warmUpSeconds = 1;
const settleMs = 2_000;

/** Runs a scenario with the load of this directory. */
export async function ownLoad(running: Running, scenario: Scenario, seconds: number): Promise<Figures> {
  const { shape } = scenario;
  switch (shape.kind) {
    case "flood":
      return await flood(running, shape, seconds);
    case "backlog":
      return await backlog(running, shape);
    case "idle":
      return await idle(running, shape);
  }
}

async function flood({ process: broker, target }: Running, shape: FloodShape, seconds: number): Promise<Figures> {
  const used = { broker: 0, load: 0, at: 0 };
  const onWindow = (edge: "begin" | "end"): void => {
    const sign = edge === "begin" ? -1 : 1;
    const { user, system } = process.cpuUsage();
    used.broker += sign * cpuSeconds(broker.pid);
    used.load += sign * ((user + system) / 1_000_000);
    used.at += sign * (performance.now() / 1_000);
  };
  const result = await runFlood({ target, shape, seconds, warmUpSeconds, onWindow });
  return {
    receivedPerSecond: result.receivedPerSecond,
    ...(shape.qos === 1 && {
      acknowledgedPerSecond: result.acknowledgedPerSecond,
      acknowledgementP50: result.acknowledgement.p50,
      acknowledgementP99: result.acknowledgement.p99,
    }),
    endToEndP50: result.endToEnd.p50,
    endToEndP99: result.endToEnd.p99,
    lostPercent: (100 * result.lost) / Math.max(1, result.expected),
    brokerCores: used.broker / used.at,
    loadCores: used.load / used.at,
    cpuPerMessage: (used.broker * 1_000_000) / Math.max(1, result.received),
    residentBytes: memory(broker.pid).resident,
  };
}

async function backlog({ process: broker, target }: Running, shape: BacklogShape): Promise<Figures> {
  const options = { publishers: shape.publishers, window: shape.window, count: shape.count, payloadBytes };
  await leaveSession(target);
  const queueSeconds = await queueBacklog(target, options);
  const residentBytes = memory(broker.pid).resident;
  const drain = await drainBacklog(target, options);
  return {
    queuedPerSecond: shape.count / queueSeconds,
    drainedPerSecond: drain.received / drain.seconds,
    lostPercent: (100 * drain.lost) / shape.count,
    residentBytes,
  };
}

async function idle({ process: broker, target }: Running, shape: IdleShape): Promise<Figures> {
  await delay(settleMs);
  const before = memory(broker.pid).resident;
  const connections = await openIdle(target, shape.connections);
  await delay(settleMs);
  const residentBytes = memory(broker.pid).resident;
  connections.close();
  return { bytesPerConnection: (residentBytes - before) / connections.count, residentBytes };
}
