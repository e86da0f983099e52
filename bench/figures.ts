/** What one run of a scenario gave. Figures that a scenario does not have are absent. */
export interface Figures {
  readonly receivedPerSecond?: number;
  readonly acknowledgedPerSecond?: number;
  readonly queuedPerSecond?: number;
  readonly drainedPerSecond?: number;
  /** Microseconds. */
  readonly acknowledgementP50?: number;
  readonly acknowledgementP99?: number;
  readonly endToEndP50?: number;
  readonly endToEndP99?: number;
  /** Deliveries that never came, in percent of those due. */
  readonly lostPercent?: number;
  /** Of one core: the broker's and the load's own. */
  readonly brokerCores?: number;
  readonly loadCores?: number;
  /** Microseconds of the broker's CPU for a delivery. */
  readonly cpuPerMessage?: number;
  readonly bytesPerConnection?: number;
  readonly residentBytes?: number;
}

export type FigureName = keyof Figures;

/** The figure a scenario is about, and whether more of it is better. */
export interface Mark {
  readonly name: FigureName;
  readonly isMoreBetter: boolean;
}

/** How figures are printed. */
export const figureTable: readonly {
  readonly name: FigureName;
  readonly title: string;
  readonly digits: number;
  readonly per: number;
}[] = [
  { name: "receivedPerSecond", title: "received/s", digits: 0, per: 1 },
  { name: "acknowledgedPerSecond", title: "acked/s", digits: 0, per: 1 },
  { name: "queuedPerSecond", title: "queued/s", digits: 0, per: 1 },
  { name: "drainedPerSecond", title: "drained/s", digits: 0, per: 1 },
  { name: "acknowledgementP50", title: "ack p50 ms", digits: 2, per: 1_000 },
  { name: "acknowledgementP99", title: "ack p99 ms", digits: 2, per: 1_000 },
  { name: "endToEndP50", title: "end-to-end p50 ms", digits: 2, per: 1_000 },
  { name: "endToEndP99", title: "p99 ms", digits: 2, per: 1_000 },
  { name: "lostPercent", title: "lost %", digits: 2, per: 1 },
  { name: "bytesPerConnection", title: "KB/connection", digits: 1, per: 1_000 },
  { name: "brokerCores", title: "broker cores", digits: 2, per: 1 },
  { name: "loadCores", title: "load cores", digits: 2, per: 1 },
  { name: "cpuPerMessage", title: "CPU µs/message", digits: 2, per: 1 },
  { name: "residentBytes", title: "resident MB", digits: 0, per: 1_000_000 },
];
