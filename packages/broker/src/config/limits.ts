/** Every bound of the broker, with its unit in its name or comment. Durations are milliseconds, sizes bytes. */
export interface Limits {
  // connections
  connectionsMax: number;
  connectionsPerAddressMax: number;
  /** New connections an address may open a second (bucket of ten times that). */
  connectsPerAddressPerSecond: number;
  handshakesMax: number;
  handshakesPerAddressMax: number;
  handshakeDeadlineMs: number;
  /** From accept to a complete CONNECT. */
  connectDeadlineMs: number;
  /** Largest CONNECT, and all a connection may make us hold before it is authenticated. */
  connectPacketBytesMax: number;
  /** Bytes of all connections together that are not authenticated yet. */
  preAuthBytesMax: number;
  /** A started packet must arrive at this rate, else the connection is closed. */
  packetBytesPerSecondMin: number;
  authFailuresPerAddressPerMinute: number;
  // rates: 0 is no limit; a second's worth may come at once
  clientMessagesPerSecondMax: number;
  clientBytesPerSecondMax: number;
  principalMessagesPerSecondMax: number;
  principalBytesPerSecondMax: number;
  addressMessagesPerSecondMax: number;
  addressBytesPerSecondMax: number;
  certificatesMax: number;
  /** Checks of credentials that take time, under way at once. */
  authenticationsMax: number;
  // packets
  packetBytesMax: number;
  topicBytesMax: number;
  topicLevelsMax: number;
  clientIdBytesMax: number;
  userPropertiesMax: number;
  userPropertyBytesMax: number;
  subscriptionsPerPacketMax: number;
  topicAliasMax: number;
  receiveMaximum: number;
  keepAliveSecondsMax: number;
  // sessions
  sessionsPerPrincipalMax: number;
  sessionExpirySecondsMax: number;
  subscriptionsPerSessionMax: number;
  subscriptionsMax: number;
  retainedPerPrincipalMax: number;
  retainedBytesMax: number;
  /** Messages that may wait for one session; past it the session ends with an audit event. */
  backlogMessagesMax: number;
  /** Runs of sequence numbers a backlog keeps in memory before it coarsens. */
  backlogRunsMax: number;
  inFlightMax: number;
  /** Bytes of QoS 2 messages received and not released, all clients. */
  heldBytesMax: number;
  // delivery
  /** Bytes for one connection in memory before QoS 0 is dropped and QoS 1 and 2 wait on disk. */
  outboundBytesMax: number;
  /** The same for all connections: past it each may have its share, and who has more and does not read has to go. */
  outboundBytesTotalMax: number;
  // queues
  declaredTopicsMax: number;
  /** Each has a key of its own, and about 300 bytes of memory. */
  erasureDomainsMax: number;
  declaredSubscriptionsMax: number;
  filtersPerSubscriptionMax: number;
  consumersPerSubscriptionMax: number;
  /** Leases one consumer may hold, and their bytes, whatever it asks for. */
  leasesPerConsumerMax: number;
  leaseBytesPerConsumerMax: number;
  /** Messages of one subscription that wait behind an earlier one of their key, or for a retry. */
  blockedPerSubscriptionMax: number;
  leaseMsMax: number;
  /** Why a message was nacked or rejected, in UTF-8. */
  settlementReasonBytesMax: number;
  /** Delayed messages, all topics; and the longest delay. */
  delayedMax: number;
  delayMsMax: number;
  messageKeyBytesMax: number;
  messageIdBytesMax: number;
  /** How long the id of a message is remembered. */
  messageIdWindowMs: number;
  messageIdsMax: number;
  messageIdsPerPrincipalMax: number;
  /** How far the time of a signature may be from the broker's, before and after. */
  signatureWindowMs: number;
  /** Signed messages that are remembered so that none is taken twice. */
  noncesMax: number;
  noncesPerPrincipalMax: number;
  /** Bytes of signed MQTT publishes that are being verified. */
  signedBytesMax: number;
  signingKeysMax: number;
  signingKeysPerPrincipalMax: number;
  batchMessagesMax: number;
  schemaBytesMax: number;
  // credentials
  tokensPerPrincipalMax: number;
  tokensMax: number;
  tokenMsMax: number;
  // storage
  /** How long audit records are kept, and how many bytes of them: the oldest go first. */
  auditSecondsMax: number;
  auditBytesMax: number;
  segmentBytes: number;
  frameBytesSoft: number;
  frameCacheBytes: number;
  diskBytesMax: number;
  // http
  httpBodyBytesMax: number;
  httpHeaderBytesMax: number;
  httpRequestDeadlineMs: number;
  /** Requests of one principal; a second's worth may come at once. */
  httpRequestsPerPrincipalPerSecond: number;
  /** Event streams and waiting pulls of one principal at a time. */
  httpOpenPerPrincipalMax: number;
  /** Longest wait of a pull. */
  httpPollMsMax: number;
  /** Items of one page, pull or settlement. */
  httpPageItemsMax: number;
  /** Payloads of one pull or page of messages together; one message may always come. */
  httpAnswerBytesMax: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Limits = {
  connectionsMax: 100_000,
  connectionsPerAddressMax: 1_000,
  connectsPerAddressPerSecond: 200,
  handshakesMax: 500,
  handshakesPerAddressMax: 100,
  handshakeDeadlineMs: 5_000,
  connectDeadlineMs: 5_000,
  connectPacketBytesMax: 16 * KiB,
  preAuthBytesMax: 16 * MiB,
  packetBytesPerSecondMin: 1 * KiB,
  authFailuresPerAddressPerMinute: 100,
  clientMessagesPerSecondMax: 20_000,
  clientBytesPerSecondMax: 32 * MiB,
  principalMessagesPerSecondMax: 50_000,
  principalBytesPerSecondMax: 64 * MiB,
  addressMessagesPerSecondMax: 50_000,
  addressBytesPerSecondMax: 64 * MiB,
  certificatesMax: 100_000,
  authenticationsMax: 256,
  packetBytesMax: 1 * MiB,
  topicBytesMax: 1_024,
  topicLevelsMax: 64,
  clientIdBytesMax: 128,
  userPropertiesMax: 32,
  userPropertyBytesMax: 4 * KiB,
  subscriptionsPerPacketMax: 1_000,
  topicAliasMax: 64,
  receiveMaximum: 100,
  keepAliveSecondsMax: 3_600,
  sessionsPerPrincipalMax: 1_000,
  sessionExpirySecondsMax: 30 * 86_400,
  subscriptionsPerSessionMax: 2_000,
  subscriptionsMax: 1_000_000,
  retainedPerPrincipalMax: 100_000,
  retainedBytesMax: 1_024 * MiB,
  backlogMessagesMax: 50_000_000,
  backlogRunsMax: 4_096,
  inFlightMax: 4_096,
  heldBytesMax: 64 * MiB,
  outboundBytesMax: 1 * MiB,
  outboundBytesTotalMax: 64 * MiB,
  declaredTopicsMax: 100_000,
  erasureDomainsMax: 100_000,
  declaredSubscriptionsMax: 1_000_000,
  filtersPerSubscriptionMax: 64,
  consumersPerSubscriptionMax: 1_000,
  leasesPerConsumerMax: 4_096,
  leaseBytesPerConsumerMax: 64 * MiB,
  blockedPerSubscriptionMax: 10_000,
  leaseMsMax: 12 * 3_600_000,
  settlementReasonBytesMax: 1 * KiB,
  delayedMax: 10_000_000,
  delayMsMax: 365 * 86_400_000,
  messageKeyBytesMax: 256,
  messageIdBytesMax: 128,
  messageIdWindowMs: 120_000,
  messageIdsMax: 1_000_000,
  messageIdsPerPrincipalMax: 250_000,
  signatureWindowMs: 300_000,
  noncesMax: 1_000_000,
  noncesPerPrincipalMax: 250_000,
  signedBytesMax: 64 * MiB,
  signingKeysMax: 100_000,
  signingKeysPerPrincipalMax: 16,
  batchMessagesMax: 1_000,
  schemaBytesMax: 64 * KiB,
  tokensPerPrincipalMax: 1_000,
  tokensMax: 100_000,
  tokenMsMax: 24 * 3_600_000,
  auditSecondsMax: 90 * 86_400,
  auditBytesMax: 256 * MiB,
  segmentBytes: 64 * MiB,
  frameBytesSoft: 2 * MiB,
  frameCacheBytes: 16 * MiB,
  diskBytesMax: 64 * 1_024 * MiB,
  httpBodyBytesMax: 1 * MiB,
  httpHeaderBytesMax: 16 * KiB,
  httpRequestDeadlineMs: 10_000,
  httpRequestsPerPrincipalPerSecond: 1_000,
  httpOpenPerPrincipalMax: 1_000,
  httpPollMsMax: 30_000,
  httpPageItemsMax: 1_000,
  httpAnswerBytesMax: 4 * MiB,
};
