import type { MetricSample } from "../model/administration.ts";
import type { ConnectionLimit, InputCounters } from "./admission.ts";

const LIMITS: readonly ConnectionLimit[] = [
  "connections",
  "connections_per_address",
  "connects_per_address",
  "handshakes",
  "handshake_deadline",
];

/** What the listeners refused, as plain numbers, and as metrics when they are asked for. */
export class LimitCounters implements InputCounters {
  readonly #hits = new Map<ConnectionLimit, number>(LIMITS.map((limit) => [limit, 0]));
  #handshakesFailed = 0;

  limitHit(limit: ConnectionLimit): void {
    this.#hits.set(limit, (this.#hits.get(limit) ?? 0) + 1);
  }

  handshakeFailed(): void {
    this.#handshakesFailed += 1;
  }

  samples(): MetricSample[] {
    const hits = [...this.#hits].map(([limit, value]): MetricSample => {
      const name = "mess_limit_hits_total";
      return { name, help: "Refusals because a limit was reached.", type: "counter", value, labels: { limit } };
    });
    const help = "TLS handshakes that failed before their deadline.";
    return [
      ...hits,
      { name: "mess_tls_handshake_failures_total", help, type: "counter", value: this.#handshakesFailed },
    ];
  }
}
