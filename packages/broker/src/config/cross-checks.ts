import { isIP } from "node:net";
import type { Limits } from "./limits.ts";
import type { ServeConfig } from "./serve-config.ts";

/** A combination of settings that cannot be meant. The path is the setting to change. */
export interface CrossProblem {
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

/** Checks that need more than one value. `config` has passed the schema and holds its defaults. */
export function crossCheck(config: ServeConfig): CrossProblem[] {
  return [
    ...checkListeners(config),
    ...checkCertificate(config),
    ...checkKeySource(config),
    ...checkTokens(config),
    ...checkLimits(config.limits),
  ];
}

/** 127.0.0.0/8, ::1 (also with IPv4 inside) and `localhost`. Whoever binds must look at the bound address again. */
function isLoopback(address: string): boolean {
  const lower = address.toLowerCase();
  if (lower === "localhost" || lower === "::1") return true;
  const plain = lower.startsWith("::ffff:") ? lower.slice("::ffff:".length) : lower;
  return isIP(plain) === 4 && plain.startsWith("127.");
}

function checkListeners(config: ServeConfig): CrossProblem[] {
  const problems: CrossProblem[] = [];
  if (config.insecureDev && !isLoopback(config.listen)) {
    problems.push({
      path: "listen",
      message: "is no loopback address, and insecureDev has neither encryption nor authentication",
      hint: "leave insecureDev off, or listen on 127.0.0.1 or ::1",
    });
  }
  const ports = [
    ["mqttPort", config.mqttPort],
    ["httpPort", config.httpPort],
    ["mqttsPort", config.mqttsPort],
  ] as const;
  for (const [index, [name, port]] of ports.entries()) {
    const earlier = ports.slice(0, index).find(([, other]) => port !== undefined && port !== 0 && other === port);
    if (earlier !== undefined) problems.push({ path: name, message: `is the same port as ${earlier[0]}` });
  }
  return problems;
}

function checkCertificate(config: ServeConfig): CrossProblem[] {
  const problems: CrossProblem[] = [];
  if (config.tlsCert !== undefined && config.tlsKey === undefined) {
    problems.push({ path: "tlsCert", message: "is given without tlsKey", hint: "name the private key too" });
  }
  if (config.tlsKey !== undefined && config.tlsCert === undefined) {
    problems.push({ path: "tlsKey", message: "is given without tlsCert", hint: "name the certificate too" });
  }
  if (config.clientCrl !== undefined && config.clientCa === undefined) {
    problems.push({ path: "clientCrl", message: "is given without clientCa", hint: "name the authorities too" });
  }
  if (config.insecureDev && config.clientCa !== undefined) {
    problems.push({
      path: "clientCa",
      message: "would not be used: with insecureDev nobody is authenticated",
      hint: "leave insecureDev off",
    });
  }
  const hasCertificate = config.tlsCert !== undefined;
  if (config.mqttsPort !== undefined && !config.insecureDev) {
    problems.push({ path: "mqttsPort", message: "is only for insecureDev", hint: "mqttPort is the TLS port" });
  }
  if (config.insecureDev && config.mqttsPort !== undefined && !hasCertificate) {
    problems.push({ path: "mqttsPort", message: "needs tlsCert and tlsKey" });
  }
  if (config.insecureDev && config.mqttsPort === undefined && hasCertificate) {
    problems.push({
      path: "tlsCert",
      message: "would not be used: with insecureDev the other ports are plain text",
      hint: "add mqttsPort, or leave insecureDev off",
    });
  }
  return problems;
}

function checkKeySource(config: ServeConfig): CrossProblem[] {
  const given = (["kekFile", "kekFd", "kekCommand"] as const).filter((name) => config[name] !== undefined);
  const [first, second] = given;
  if (first === undefined || second === undefined) return [];
  return [{ path: second, message: `and ${first} both name a key-encryption key`, hint: "keep one of them" }];
}

function checkTokens({ insecureDev, jwt }: ServeConfig): CrossProblem[] {
  if (!insecureDev || jwt.length === 0) return [];
  const message = "would not be used: with insecureDev nobody is asked who they are";
  return [{ path: "jwt", message, hint: "leave it out, or leave insecureDev off" }];
}

/** `[small, large, why]`: the first must not exceed the second. */
const ORDERED: readonly (readonly [keyof Limits, keyof Limits, string])[] = [
  ["connectionsPerAddressMax", "connectionsMax", "one address cannot have more connections than all"],
  ["connectPacketBytesMax", "packetBytesMax", "a CONNECT is a packet"],
  ["connectPacketBytesMax", "preAuthBytesMax", "else no CONNECT of that size could ever arrive"],
  ["clientIdBytesMax", "connectPacketBytesMax", "a client id is a part of a CONNECT"],
  ["topicBytesMax", "packetBytesMax", "a topic is a part of a packet"],
  ["userPropertyBytesMax", "packetBytesMax", "user properties are a part of a packet"],
  ["topicLevelsMax", "topicBytesMax", "every level but the first takes a byte"],
  ["subscriptionsPerPacketMax", "subscriptionsPerSessionMax", "else a whole packet could never be granted"],
  ["subscriptionsPerSessionMax", "subscriptionsMax", "one session cannot have more subscriptions than all"],
  ["backlogRunsMax", "backlogMessagesMax", "a run holds at least one message"],
  ["packetBytesMax", "heldBytesMax", "else a QoS 2 message of that size could never be received"],
  ["packetBytesMax", "outboundBytesMax", "else a message of that size could never be sent"],
  ["outboundBytesMax", "outboundBytesTotalMax", "one connection cannot have more than all"],
  ["frameBytesSoft", "frameCacheBytes", "the cache holds at least one frame"],
  ["packetBytesMax", "signedBytesMax", "else a signed message of that size could never be verified"],
  ["noncesPerPrincipalMax", "noncesMax", "one publisher cannot have more signed messages than all"],
  ["signingKeysPerPrincipalMax", "signingKeysMax", "one principal cannot have more keys than all"],
  ["retainedBytesMax", "diskBytesMax", "retained messages are on the disk"],
];

/** Header of the segment and of the frame, trailer and checksums: no more than this beside the records. */
const FRAME_OVERHEAD_BYTES = 64 * 1_024;
/** The active segment, one ready to follow it, one to carry stragglers, and one that holds messages. */
const SEGMENTS_MIN = 4;

function checkLimits(limits: Limits): CrossProblem[] {
  const problems: CrossProblem[] = [];
  for (const [small, large, why] of ORDERED) {
    if (limits[small] > limits[large]) {
      problems.push({ path: `limits.${small}`, message: `is greater than ${large}: ${why}` });
    }
  }
  if (limits.frameBytesSoft + limits.packetBytesMax + FRAME_OVERHEAD_BYTES > limits.segmentBytes) {
    problems.push({
      path: "limits.segmentBytes",
      message: "is too small: a frame of frameBytesSoft and one more packet of packetBytesMax must fit into a segment",
    });
  }
  if (limits.segmentBytes * SEGMENTS_MIN > limits.diskBytesMax) {
    problems.push({ path: "limits.diskBytesMax", message: `is less than ${SEGMENTS_MIN} segments of segmentBytes` });
  }
  return problems;
}
