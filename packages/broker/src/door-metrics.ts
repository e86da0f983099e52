/** Numbers of the input side, in the form the metrics page wants. */
import type { MqttDoor } from "./input/doors/mqtt/mqtt-door.ts";
import type { MetricSample } from "./model/administration.ts";

export interface InputNumbers {
  readonly limitHits: ReadonlyMap<string, number>;
  readonly handshakesFailed: number;
}

export function doorMetrics(door: MqttDoor, input: InputNumbers): MetricSample[] {
  const { counters } = door;
  const counter = (name: string, help: string, value: number): MetricSample => ({ name, help, type: "counter", value });
  const samples: MetricSample[] = [
    { name: "mess_connections", help: "MQTT connections open now.", type: "gauge", value: door.connections() },
    { name: "mess_preauth_bytes", help: "Bytes held for unauthenticated clients.", type: "gauge", value: door.preAuthBytes() },
    counter("mess_connects_total", "CONNECT packets accepted.", counters.connected),
    counter("mess_connects_refused_total", "CONNECT packets refused.", counters.connectRefused),
    counter("mess_auth_failures_total", "Credentials refused.", counters.authFailures),
    counter("mess_malformed_total", "Packets that are not MQTT.", counters.malformed),
    counter("mess_protocol_errors_total", "Packets that break the protocol.", counters.protocolErrors),
    counter("mess_keep_alive_timeouts_total", "Connections ended for silence.", counters.keepAliveTimeouts),
    counter("mess_slow_consumer_dropped_total", "QoS 0 messages dropped for slow consumers.", counters.slowDrops),
    counter("mess_received_bytes_total", "Bytes received from MQTT clients.", counters.bytesReceived),
    counter("mess_handshakes_failed_total", "TLS handshakes that failed.", input.handshakesFailed),
  ];
  const help = "Refusals by a limit.";
  const hit = (limit: string, value: number): MetricSample => ({
    name: "mess_limit_hits_total",
    help,
    type: "counter",
    value,
    labels: { limit },
  });
  samples.push(hit("preauth_deadline", counters.connectDeadlines));
  for (const [limit, value] of input.limitHits) samples.push(hit(limit, value));
  return samples;
}
