import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Running } from "./brokers.ts";
import type { Figures } from "./figures.ts";
import { payloadBytes, type Scenario } from "./scenarios.ts";

export interface ExternalOptions {
  /** The program; it takes the options below and prints one JSON object. */
  readonly path: string;
  readonly directory: string;
  readonly seconds: number;
}

/** Runs a scenario with a load generator that speaks the command line of `mqload`. */
export async function externalLoad(running: Running, scenario: Scenario, options: ExternalOptions): Promise<Figures> {
  const { host, port, ca } = running.target;
  const words = [
    "--host",
    host,
    "--port",
    String(port),
    "--watch",
    String(running.process.pid),
    "--size",
    String(payloadBytes),
  ];
  if (ca !== undefined) {
    const file = join(options.directory, "ca.pem");
    writeFileSync(file, ca);
    words.push("--tls", "--cafile", file);
  }
  const { stdout } = await promisify(execFile)(options.path, [...words, ...shapeWords(scenario, options.seconds)], {
    timeout: 120_000,
  });
  return figuresOf(JSON.parse(stdout) as Printed, scenario);
}

function shapeWords({ shape }: Scenario, seconds: number): string[] {
  const entries = (fields: Readonly<Record<string, string | number>>): string[] =>
    Object.entries(fields).flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (shape.kind === "idle") return entries({ idle: shape.connections, hold: 3 });
  const { publishers: pubs, window } = shape;
  if (shape.kind === "backlog") {
    return ["--offline", ...entries({ pubs, subs: 1, topics: "fanin", qos: 1, window, count: shape.count, drain: 8 })];
  }
  const { subscribers: subs, topics, qos, lag: maxlag, filters = 0 } = shape;
  const persist = shape.persistent ? ["--persist"] : [];
  return [...persist, ...entries({ pubs, subs, topics, filters, qos, window, maxlag, duration: seconds, warmup: 1 })];
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

interface Printed {
  readonly window_s: number;
  readonly recv_rate: number;
  readonly ack_rate: number;
  readonly offline_pub_rate: number;
  readonly drain_rate: number;
  readonly expected: number;
  readonly lost: number;
  readonly ack_us: Percentiles;
  readonly e2e_us: Percentiles;
  readonly broker_cpu: number;
  readonly cpu_self: number;
  readonly broker_cpu_us_per_msg: number;
  readonly rss_end: number;
  readonly rss_pub_end: number;
  readonly rss_after: number;
  readonly bytes_per_conn: number;
}

function figuresOf(printed: Printed, { shape }: Scenario): Figures {
  if (shape.kind === "idle") return { bytesPerConnection: printed.bytes_per_conn, residentBytes: printed.rss_after };
  const lostPercent = (100 * printed.lost) / Math.max(1, printed.expected);
  if (shape.kind === "backlog") {
    const { offline_pub_rate: queuedPerSecond, drain_rate: drainedPerSecond, rss_pub_end: residentBytes } = printed;
    return { queuedPerSecond, drainedPerSecond, lostPercent, residentBytes };
  }
  return {
    receivedPerSecond: printed.recv_rate,
    ...(shape.qos === 1 && {
      acknowledgedPerSecond: printed.ack_rate,
      acknowledgementP50: printed.ack_us.p50,
      acknowledgementP99: printed.ack_us.p99,
    }),
    endToEndP50: printed.e2e_us.p50,
    endToEndP99: printed.e2e_us.p99,
    lostPercent,
    brokerCores: printed.broker_cpu / printed.window_s,
    loadCores: printed.cpu_self / printed.window_s,
    cpuPerMessage: printed.broker_cpu_us_per_msg,
    residentBytes: printed.rss_end,
  };
}
