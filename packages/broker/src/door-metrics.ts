/** Numbers of the input side, in the form the metrics page wants. */
import type { Limits } from "./config/limits.ts";
import type { MqttDoor } from "./input/doors/mqtt/mqtt-door.ts";
import type { MetricSample } from "./model/administration.ts";

export interface HttpNumbers {
  /** By the first digit of the status. */
  readonly answers: readonly number[];
  readonly open: number;
}

export interface InputNumbers {
  readonly limitHits: ReadonlyMap<string, number>;
  readonly handshakesFailed: number;
}

/** Limits whose hits are counted. Shown from the start: a rate cannot be taken of a series that begins with its first hit. */
export const countedLimits: readonly (keyof Limits)[] = [
  "connectionsMax",
  "connectionsPerAddressMax",
  "connectsPerAddressPerSecond",
  "handshakesMax",
  "handshakesPerAddressMax",
  "handshakeDeadlineMs",
  "connectDeadlineMs",
  "preAuthBytesMax",
  "authFailuresPerAddressPerMinute",
  "clientMessagesPerSecondMax",
  "principalMessagesPerSecondMax",
  "addressMessagesPerSecondMax",
  "authenticationsMax",
  "sessionsPerPrincipalMax",
  "subscriptionsPerSessionMax",
  "subscriptionsMax",
  "backlogMessagesMax",
  "httpRequestsPerPrincipalPerSecond",
  "httpOpenPerPrincipalMax",
];

export interface DoorNumbers {
  readonly door: MqttDoor;
  readonly http: HttpNumbers;
  readonly input: InputNumbers;
  /** Hits that were audited (`limit.hit`), by the name of the setting. */
  readonly audited: ReadonlyMap<string, number>;
  /** Credentials refused at any door (`auth.fail`). */
  readonly authFailures: number;
}

export function doorMetrics({ door, http, input, audited, authFailures }: DoorNumbers): MetricSample[] {
  const { counters } = door;
  const counter = (name: string, help: string, value: number): MetricSample => ({ name, help, type: "counter", value });
  const samples: MetricSample[] = [
    { name: "mess_connections", help: "MQTT connections open now.", type: "gauge", value: door.connections() },
    {
      name: "mess_preauth_bytes",
      help: "Bytes held for unauthenticated clients.",
      type: "gauge",
      value: door.preAuthBytes(),
    },
    {
      name: "mess_outbound_bytes",
      help: "Memory held for what goes out to MQTT clients.",
      type: "gauge",
      value: door.outboundBytes(),
    },
    counter("mess_connects_total", "CONNECT packets accepted.", counters.connected),
    counter("mess_connects_refused_total", "CONNECT packets refused.", counters.connectRefused),
    counter("mess_auth_failures_total", "Credentials refused.", authFailures),
    counter("mess_malformed_total", "Packets that are not MQTT.", counters.malformed),
    counter("mess_protocol_errors_total", "Packets that break the protocol.", counters.protocolErrors),
    counter(
      "mess_properties_refused_total",
      "Packets with reserved user properties that are unknown or wrong.",
      counters.propertiesRefused,
    ),
    counter("mess_keep_alive_timeouts_total", "Connections ended for silence.", counters.keepAliveTimeouts),
    counter("mess_slow_consumer_dropped_total", "QoS 0 messages dropped for slow consumers.", counters.slowDrops),
    counter("mess_slow_consumer_ended_total", "Connections ended because they do not read.", counters.slowEnds),
    counter("mess_received_bytes_total", "Bytes received from MQTT clients.", counters.bytesReceived),
    counter("mess_handshakes_failed_total", "TLS handshakes that failed.", input.handshakesFailed),
  ];
  samples.push(...httpMetrics(http));
  const known: ReadonlySet<string> = new Set(countedLimits);
  const others = [...input.limitHits.keys(), ...audited.keys()].filter((limit) => !known.has(limit));
  for (const limit of [...countedLimits, ...new Set(others)]) {
    const value = (input.limitHits.get(limit) ?? 0) + (audited.get(limit) ?? 0);
    samples.push({
      ...counter("mess_limit_hits_total", "Refusals by a limit, named as its setting.", value),
      labels: { limit },
    });
  }
  return samples;
}

/** The status only by its first digit: a series for each would grow with what clients provoke. */
function httpMetrics({ answers, open }: HttpNumbers): MetricSample[] {
  const help = "HTTP requests answered, by the first digit of the status; 0xx were cut off.";
  const byDigit = answers.map((value, digit): MetricSample => {
    return { name: "mess_http_requests_total", help, type: "counter", value, labels: { status: `${digit}xx` } };
  });
  const openHelp = "HTTP requests under way; event streams and waiting pulls among them.";
  return [...byDigit, { name: "mess_http_requests_open", help: openHelp, type: "gauge", value: open }];
}
