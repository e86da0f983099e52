import { formatCount, formatMilliseconds } from "../units.ts";
import type { Histogram } from "./histogram.ts";

/** Times in milliseconds. */
export interface LatencyResult {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface BenchResult {
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  readonly size: number;
  readonly qos: number;
  readonly window: number | undefined;
  readonly rate: number | undefined;
  readonly seconds: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Deliveries that should have come: acknowledged messages times subscribers. */
  readonly expected: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly publishedPerSecond: number;
  readonly receivedPerSecond: number;
  readonly acknowledgement: LatencyResult;
  readonly delivery: LatencyResult;
}

export function latencyResult(histogram: Histogram): LatencyResult {
  const milliseconds = (microseconds: number): number => Math.round(microseconds) / 1000;
  return {
    count: histogram.count,
    mean: milliseconds(histogram.mean),
    p50: milliseconds(histogram.percentile(0.5)),
    p99: milliseconds(histogram.percentile(0.99)),
    p999: milliseconds(histogram.percentile(0.999)),
    max: milliseconds(histogram.max),
  };
}

export function formatResult(result: BenchResult): string {
  const { qos, size, publishers, subscribers, topics, rate, window } = result;
  const load = rate === undefined ? `window ${formatCount(window ?? 0)}` : `${formatCount(rate)} a second asked for`;
  const lines = [
    `QoS ${qos}, ${size} bytes, ${publishers} publishing, ${subscribers} subscribing, ${topics} ${topics === 1 ? "topic" : "topics"}, ${load}`,
    `sent ${formatCount(result.sent)}, received ${formatCount(result.received)}, lost ${formatCount(result.lost)}, ` +
      `duplicated ${formatCount(result.duplicated)}, out of order ${formatCount(result.outOfOrder)}, failed ${formatCount(result.failed)}`,
    `published ${formatCount(result.publishedPerSecond)} a second, received ${formatCount(result.receivedPerSecond)} a second, in ${result.seconds.toFixed(1)} s`,
  ];
  if (qos > 0) lines.push(latencyLine("acknowledged", result.acknowledgement));
  if (subscribers > 0) lines.push(latencyLine("delivered", result.delivery));
  return `${lines.join("\n")}\n`;
}

function latencyLine(what: string, { p50, p99, p999, max }: LatencyResult): string {
  const [a, b, c, d] = [p50, p99, p999, max].map(formatMilliseconds);
  return `${what.padEnd(12)}  p50 ${a}  p99 ${b}  p99.9 ${c}  max ${d}`;
}
