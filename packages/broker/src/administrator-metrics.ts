/** The numbers of the core, for `/metrics`: read once a scrape. */
import type { BrokerEngine } from "./engine.ts";
import type { MetricSample } from "./model/administration.ts";
import type { SignedLog } from "./model/log-proofs.ts";
import { signatureProblems } from "./model/signing.ts";

type Labels = Readonly<Record<string, string>>;

export function coreMetrics(engine: BrokerEngine): MetricSample[] {
  const { state, publishing, audit } = engine.machine;
  const { counters } = state;
  const journal = engine.journal.statistics();
  const received = "Messages taken from publishers.";
  const denied = "Refusals for want of a right.";
  return [
    counter("mess_messages_received_total", received, counters.publishedQoS0, { qos: "0" }),
    counter("mess_messages_received_total", received, counters.publishedQoS1, { qos: "1" }),
    counter("mess_messages_received_total", received, counters.publishedQoS2, { qos: "2" }),
    counter("mess_messages_delivered_total", "Journaled messages sent to consumers.", counters.delivered),
    counter("mess_messages_expired_total", "Messages whose expiry passed before delivery.", counters.droppedExpired),
    counter("mess_messages_erased_total", "Messages not delivered because they were erased.", counters.droppedErased),
    gauge("mess_erasure_domains", "Topics and ordering keys that can be erased by themselves.", state.erasure.size),
    counter("mess_messages_too_large_total", "Messages larger than a consumer takes.", counters.droppedTooLarge),
    counter("mess_acl_denied_total", denied, counters.deniedPublish, { action: "publish" }),
    counter("mess_acl_denied_total", denied, counters.deniedSubscribe, { action: "subscribe" }),
    counter("mess_acl_denied_total", denied, counters.deniedWill, { action: "will" }),
    counter("mess_quota_refused_total", "Publishes refused by a quota.", counters.quotaRefused),
    counter("mess_session_takeovers_total", "Sessions taken over by a newer connection.", counters.takeovers),
    counter("mess_audit_events_total", "Audit events, sampled ones included.", sum(audit.countOf.values())),
    counter("mess_journal_frames_total", "Frames committed.", journal.framesCommitted),
    counter("mess_journal_records_total", "Records committed.", journal.recordsCommitted),
    counter("mess_journal_written_bytes_total", "Bytes written to the journal.", journal.bytesWritten),
    counter("mess_journal_syncs_total", "fdatasync calls.", journal.syncs),
    counter(
      "mess_journal_commit_seconds_total",
      "Time spent in write and fdatasync.",
      journal.commitMilliseconds / 1000,
    ),
    gauge("mess_journal_disk_bytes", "Disk space of the journal.", journal.diskBytes),
    gauge("mess_journal_failed", "1 after the journal failed.", engine.journal.hasFailed ? 1 : 0),
    gauge("mess_disk_full", "1 while publishers are refused for want of disk.", publishing.diskFull ? 1 : 0),
    gauge("mess_sessions", "Sessions, connected or not.", state.sessionsByNumber.size),
    gauge("mess_sessions_connected", "Sessions with a connection.", state.connected),
    gauge("mess_subscriptions", "Subscriptions of all sessions.", state.subscriptionCount),
    gauge("mess_retained_messages", "Retained messages.", state.retained.count),
    gauge("mess_retained_bytes", "Bytes of retained messages.", state.retainedBytes),
    ...signatureMetrics(engine),
    ...queueMetrics(engine),
    ...keyMetrics(engine),
  ];
}

const soonMs = 14 * 86_400_000;

function keyMetrics(engine: BrokerEngine): MetricSample[] {
  const { keys, clock } = engine.machine.state;
  const now = clock.now();
  let ending = 0;
  for (const { isToken, expiresAt, replacedBy } of keys.values()) {
    if (isToken === true || expiresAt === undefined || replacedBy !== undefined) continue;
    if (expiresAt - now < soonMs) ending++;
  }
  return [
    gauge("mess_keys", "API keys.", keys.size - keys.tokens),
    gauge("mess_keys_ending_soon", "API keys that end within 14 days and that nothing replaces.", ending),
    gauge("mess_tokens", "Short-lived tokens that have not ended.", keys.tokens),
  ];
}

function signatureMetrics(engine: BrokerEngine): MetricSample[] {
  const { state, audit } = engine.machine;
  const refused = "Publishes refused for their signature, or for want of one.";
  return [
    counter("mess_signed_messages_total", "Signed messages taken.", state.counters.signed),
    ...signatureProblems.map((problem) =>
      counter("mess_signature_refusals_total", refused, audit.countOf.get(problem) ?? 0, { problem }),
    ),
    gauge("mess_nonces", "Signed messages remembered, so that none is taken twice.", state.nonces.size),
  ];
}

/** Of declared subscriptions, all together: one by one they are too many for a scrape. */
function queueMetrics(engine: BrokerEngine): MetricSample[] {
  const { state, queues } = engine.machine;
  const { counters } = state;
  const ended = "Leases that ended, by how.";
  return [
    counter("mess_leases_total", "Messages given to consumers of declared subscriptions.", counters.leases),
    counter("mess_leases_ended_total", ended, counters.acks, { how: "ack" }),
    counter("mess_leases_ended_total", ended, counters.nacks, { how: "nack" }),
    counter("mess_leases_ended_total", ended, counters.expiredLeases, { how: "expired" }),
    counter("mess_dead_letters_total", "Messages that became dead letters.", counters.deadLetters),
    counter("mess_redriven_total", "Dead letters sent back to their subscription.", counters.redriven),
    counter("mess_overflowed_total", "Messages that made room in a full subscription.", counters.overflowed),
    gauge("mess_declared_subscriptions", "Declared subscriptions.", state.queues.size),
    gauge("mess_consumers", "Consumers of declared subscriptions.", queues.consuming.count),
    gauge("mess_leased_messages", "Messages that consumers have now.", queues.consuming.leased),
  ];
}

/** The journal as a transparency log. */
export function logMetrics(log: SignedLog): MetricSample[] {
  const { written, failed, size } = log.statistics();
  return [
    gauge("mess_log_leaves", "Leaves of the journal's tree: durable frames.", log.head.size),
    gauge("mess_checkpoint_leaves", "Leaves under the last signed checkpoint on disk.", size),
    counter("mess_checkpoints_total", "Signed checkpoints written.", written),
    counter("mess_checkpoint_failures_total", "Checkpoints that could not be written to a file.", failed),
  ];
}

function counter(name: string, help: string, value: number, labels?: Labels): MetricSample {
  return { name, help, type: "counter", value, ...(labels === undefined ? {} : { labels }) };
}

function gauge(name: string, help: string, value: number): MetricSample {
  return { name, help, type: "gauge", value };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
