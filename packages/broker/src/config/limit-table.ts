import type { Limits } from "./limits.ts";

/** How a limit is written: `bytes` and the times also as text with a unit. The time units name what is stored. */
export type LimitUnit = "count" | "bytes" | "bytes per second" | "milliseconds" | "seconds";

/** What may be set, and what it means to a person. */
export interface LimitRow {
  readonly unit: LimitUnit;
  /** Inclusive. Below it the broker could not do its work. */
  readonly min: number;
  /** Inclusive. The bound of the protocol, or where a typing error is likelier than a wish. */
  readonly max: number;
  readonly meaning: string;
}

const KiB = 1_024;
const MiB = 1_024 * KiB;
const GiB = 1_024 * MiB;
/** MQTT 5.0 1.5.5: the largest Remaining Length, and its five bytes of fixed header. */
const PACKET_BYTES = 268_435_455 + 5;
/** MQTT 5.0 1.5.2, 1.5.4: a two byte integer; a length of a string. */
const TWO_BYTES = 65_535;
/** MQTT 5.0 3.1.2.11.2: the value after this one means "never". */
const EXPIRY_SECONDS = 0xffff_fffe;

function count(min: number, max: number, meaning: string): LimitRow {
  return { unit: "count", min, max, meaning };
}

function bytes(min: number, max: number, meaning: string): LimitRow {
  return { unit: "bytes", min, max, meaning };
}

function milliseconds(min: number, max: number, meaning: string): LimitRow {
  return { unit: "milliseconds", min, max, meaning };
}

function seconds(min: number, max: number, meaning: string): LimitRow {
  return { unit: "seconds", min, max, meaning };
}

/** 0 is no limit. */
function messageRate(whose: string): LimitRow {
  return count(0, 1_000_000_000, `Messages a second ${whose}; 0 for no limit. A second's worth may come at once.`);
}

function byteRate(whose: string): LimitRow {
  const meaning = `Bytes of messages a second ${whose}; 0 for no limit. A second's worth may come at once.`;
  return { unit: "bytes per second", min: 0, max: 1_024 * GiB, meaning };
}

/** One row a limit, in the order of the documentation. The defaults are in `limits.ts`. */
export const limitTable: { readonly [Name in keyof Limits]: LimitRow } = {
  connectionsMax: count(1, 1_000_000, "Connections open at once, all doors together."),
  connectionsPerAddressMax: count(1, 1_000_000, "Connections open at once from one address (IPv6: one /64)."),
  connectsPerAddressPerSecond: count(
    1,
    1_000_000,
    "New connections one address may open a second; ten times that in a burst.",
  ),
  handshakesMax: count(1, 1_000_000, "TLS handshakes under way at once."),
  handshakesPerAddressMax: count(1, 1_000_000, "The same from one address (IPv6: one /64)."),
  handshakeDeadlineMs: milliseconds(100, 600_000, "From accept to the end of the TLS handshake."),
  connectDeadlineMs: milliseconds(100, 600_000, "From accept to a complete CONNECT."),
  connectPacketBytesMax: bytes(
    256,
    MiB,
    "Largest CONNECT, and all one connection may make the broker hold before it is authenticated.",
  ),
  preAuthBytesMax: bytes(64 * KiB, GiB, "Memory of all connections together that are not authenticated yet."),
  packetBytesPerSecondMin: {
    unit: "bytes per second",
    min: 1,
    max: 100 * MiB,
    meaning: "A packet that has begun must arrive at this rate, else the connection is closed.",
  },
  authFailuresPerAddressPerMinute: count(
    1,
    1_000_000,
    "Failed authentications one address may make a minute; past it, it is refused unasked.",
  ),
  clientMessagesPerSecondMax: messageRate("one MQTT client may publish"),
  clientBytesPerSecondMax: byteRate("one MQTT client may publish"),
  principalMessagesPerSecondMax: messageRate("all clients and requests of one principal may publish"),
  principalBytesPerSecondMax: byteRate("all clients and requests of one principal may publish"),
  addressMessagesPerSecondMax: messageRate("may be published from one address (IPv6: one /64)"),
  addressBytesPerSecondMax: byteRate("may be published from one address (IPv6: one /64)"),
  certificatesMax: count(1, 10_000_000, "Client certificates issued by this broker that have not expired."),
  authenticationsMax: count(
    1,
    100_000,
    "Checks of credentials that take time (JWT) under way at once; past it clients are told that the broker is busy.",
  ),
  packetBytesMax: bytes(1 * KiB, PACKET_BYTES, "Largest MQTT packet; announced as Maximum Packet Size."),
  topicBytesMax: bytes(16, TWO_BYTES, "Length of a topic name or filter, in UTF-8."),
  topicLevelsMax: count(1, 1_024, "Levels of a topic name or filter."),
  clientIdBytesMax: bytes(23, TWO_BYTES, "Length of a client id, in UTF-8."),
  userPropertiesMax: count(0, 10_000, "User properties of one packet."),
  userPropertyBytesMax: bytes(0, MiB, "User properties of one packet together, names and values."),
  subscriptionsPerPacketMax: count(1, 100_000, "Filters of one SUBSCRIBE or UNSUBSCRIBE."),
  topicAliasMax: count(0, TWO_BYTES, "Topic aliases a client may set; announced as Topic Alias Maximum."),
  receiveMaximum: count(
    1,
    TWO_BYTES,
    "QoS 1 and 2 messages a client may have under way to the broker; announced as Receive Maximum.",
  ),
  keepAliveSecondsMax: seconds(1, TWO_BYTES, "Longest keep alive; a longer one, or none, is replaced by this."),
  sessionsPerPrincipalMax: count(1, 10_000_000, "Sessions of one principal, connected or not."),
  sessionExpirySecondsMax: seconds(0, EXPIRY_SECONDS, "Longest session expiry; a longer one is lowered to this."),
  subscriptionsPerSessionMax: count(1, 1_000_000, "Subscriptions of one session."),
  subscriptionsMax: count(1, 100_000_000, "Subscriptions of all sessions together."),
  retainedPerPrincipalMax: count(0, 100_000_000, "Retained messages by one principal."),
  retainedBytesMax: bytes(0, 1_024 * GiB, "Retained messages together."),
  backlogMessagesMax: count(
    1,
    10_000_000_000,
    "Messages that may wait for one session; past it the session ends with an audit event.",
  ),
  backlogRunsMax: count(16, 1_000_000, "Runs of sequence numbers a backlog keeps in memory before it coarsens."),
  inFlightMax: count(1, TWO_BYTES, "QoS 1 and 2 messages under way to one client, if the client allows as many."),
  heldBytesMax: bytes(64 * KiB, 64 * GiB, "QoS 2 messages received and not released, all clients together."),
  outboundBytesMax: bytes(
    16 * KiB,
    GiB,
    "Memory for one connection's outgoing bytes before QoS 0 is dropped and QoS 1 and 2 wait on disk.",
  ),
  outboundBytesTotalMax: bytes(
    MiB,
    1_024 * GiB,
    "The same for all connections together; each may have its share of it, and one that does not read has to go when it is used up.",
  ),
  declaredTopicsMax: count(0, 10_000_000, "Topic filters with settings."),
  erasureDomainsMax: count(
    0,
    10_000_000,
    "Topics and ordering keys that can be erased each by itself; beyond it publishes that need another are refused.",
  ),
  declaredSubscriptionsMax: count(0, 10_000_000, "Declared subscriptions."),
  filtersPerSubscriptionMax: count(1, 10_000, "Filters of one declared subscription."),
  consumersPerSubscriptionMax: count(1, 1_000_000, "Consumers of one declared subscription."),
  leasesPerConsumerMax: count(1, 1_000_000, "Messages a consumer may hold at a time, whatever it asks for."),
  leaseBytesPerConsumerMax: bytes(64 * KiB, 64 * GiB, "Bytes of the messages a consumer may hold at a time."),
  blockedPerSubscriptionMax: count(
    1,
    10_000_000,
    "Messages of one subscription that wait for a retry, or behind an earlier one of their key.",
  ),
  leaseMsMax: milliseconds(
    1_000,
    30 * 86_400_000,
    "Longest time a consumer may have for one message without asking anew.",
  ),
  settlementReasonBytesMax: bytes(
    0,
    16 * KiB,
    "Length of a reason that a consumer gives for a nack or a rejection, in UTF-8.",
  ),
  delayedMax: count(0, 1_000_000_000, "Delayed messages, all topics together."),
  delayMsMax: milliseconds(0, 10 * 365 * 86_400_000, "Longest delay of a message."),
  messageKeyBytesMax: bytes(1, 4 * KiB, "Length of an ordering key, in UTF-8."),
  messageIdBytesMax: bytes(1, 4 * KiB, "Length of a message id, in UTF-8."),
  messageIdWindowMs: milliseconds(
    0,
    30 * 86_400_000,
    "How long the id of a message is remembered; a repeat is not stored.",
  ),
  messageIdsMax: count(
    0,
    100_000_000,
    "Message ids remembered, all publishers together; past it publishes with ids wait.",
  ),
  messageIdsPerPrincipalMax: count(0, 100_000_000, "Message ids remembered of one publisher."),
  signatureWindowMs: milliseconds(
    1_000,
    86_400_000,
    "How far the time of a message's signature may be from the broker's, before and after.",
  ),
  noncesMax: count(
    0,
    100_000_000,
    "Signed messages remembered for the window, so that none is taken twice; past it signed publishes wait. About 30 bytes each.",
  ),
  noncesPerPrincipalMax: count(0, 100_000_000, "Signed messages remembered of one publisher."),
  signedBytesMax: bytes(
    64 * KiB,
    64 * GiB,
    "Signed MQTT publishes whose signatures are being verified, all connections together.",
  ),
  signingKeysMax: count(0, 10_000_000, "Keys of signed messages, all principals together."),
  signingKeysPerPrincipalMax: count(0, 10_000, "Keys of signed messages of one principal."),
  batchMessagesMax: count(1, 100_000, "Messages of one batch."),
  schemaBytesMax: bytes(64, MiB, "Length of a topic's JSON Schema, as JSON."),
  tokensPerPrincipalMax: count(0, 1_000_000, "Tokens of one principal that have not ended; 0: nobody makes any."),
  tokensMax: count(0, 10_000_000, "Tokens of all principals together."),
  tokenMsMax: milliseconds(1_000, 24 * 3_600_000, "Longest life of a token."),
  auditSecondsMax: seconds(3_600, 36_500 * 86_400, "How long audit records are kept."),
  auditBytesMax: bytes(MiB, 1_024 * GiB, "Audit records that are kept; past it the oldest go."),
  segmentBytes: bytes(1 * MiB, GiB, "Size of one journal file."),
  frameBytesSoft: bytes(64 * KiB, 256 * MiB, "Size of an open frame from which publishers are held back."),
  frameCacheBytes: bytes(64 * KiB, 64 * GiB, "Memory for frames that readers are likely to want."),
  diskBytesMax: bytes(16 * MiB, 1_024 * 1_024 * GiB, "Size of the journal from which publishers are refused."),
  httpBodyBytesMax: bytes(1 * KiB, GiB, "Largest HTTP request body."),
  httpHeaderBytesMax: bytes(1 * KiB, MiB, "HTTP request line and headers together."),
  httpRequestDeadlineMs: milliseconds(100, 3_600_000, "From the first byte of an HTTP request to its end."),
  httpRequestsPerPrincipalPerSecond: count(
    1,
    1_000_000,
    "HTTP requests one principal may make a second; a second's worth may come at once.",
  ),
  httpOpenPerPrincipalMax: count(1, 1_000_000, "Event streams and waiting pulls of one principal at a time."),
  httpPollMsMax: milliseconds(0, 50_000, "Longest wait of an HTTP pull."),
  httpPageItemsMax: count(1, 10_000, "Items of one page, pull or settlement over HTTP."),
  httpAnswerBytesMax: bytes(
    1 * KiB,
    256 * MiB,
    "Payloads of one HTTP pull or page of messages together; one message may always come.",
  ),
};

export const limitNames: readonly (keyof Limits)[] = Object.keys(limitTable) as (keyof Limits)[];
