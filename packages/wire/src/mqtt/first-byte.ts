/**
 * The first byte of a packet decides much: type, flags, and whether this side may receive it now. All answers are
 * worked out once, so that a bad byte is refused before anything behind it is looked at.
 */
import { PacketType } from "./packet.ts";
import { packetName } from "./packet-name.ts";
import { ReasonCode } from "./reason-code.ts";

export const FirstByte = {
  LEGAL: 0,
  RESERVED_TYPE: 1,
  BAD_FLAGS: 2,
  QOS_3: 3,
  DUP_AT_QOS_0: 4,
  CONNECT_FIRST: 5,
  SECOND_CONNECT: 6,
  WRONG_DIRECTION: 7,
  AUTHENTICATION_FIRST: 8,
} as const;
export type FirstByte = (typeof FirstByte)[keyof typeof FirstByte];

const { CONNECT, CONNACK, PUBLISH, PUBREL, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH } = PacketType;
const { SUBACK, UNSUBACK, PINGREQ, PINGRESP } = PacketType;

/** Types that only a client may send. */
const fromClients: ReadonlySet<number> = new Set([CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ]);
/** Types that only a server may send. */
const fromServers: ReadonlySet<number> = new Set([CONNACK, SUBACK, UNSUBACK, PINGRESP]);
/** Types with the fixed flags 0010 [MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1]. */
const withFlag2: ReadonlySet<number> = new Set([PUBREL, SUBSCRIBE, UNSUBSCRIBE]);

function judge(role: "server" | "client", version: number, byte: number): FirstByte {
  const type = byte >>> 4;
  const flags = byte & 0x0f;
  if (type === 0 || (type === AUTH && version === 4)) return FirstByte.RESERVED_TYPE;
  if (version === 0 && (role === "client" || type !== CONNECT)) return FirstByte.CONNECT_FIRST;
  if ((role === "server" ? fromServers : fromClients).has(type)) return FirstByte.WRONG_DIRECTION;
  // 3.1.1 gives the server no way to say why it closes.
  if (role === "client" && type === DISCONNECT && version === 4) return FirstByte.WRONG_DIRECTION;
  if (type === CONNECT && version !== 0) return FirstByte.SECOND_CONNECT;
  if (type === PUBLISH) {
    if ((flags & 0x06) === 0x06) return FirstByte.QOS_3;
    return (flags & 0x06) === 0 && (flags & 0x08) !== 0 ? FirstByte.DUP_AT_QOS_0 : FirstByte.LEGAL;
  }
  return flags === (withFlag2.has(type) ? 2 : 0) ? FirstByte.LEGAL : FirstByte.BAD_FLAGS;
}

function judgeAuthenticating(version: number, byte: number): FirstByte {
  const verdict = judge("server", version, byte);
  const type = byte >>> 4;
  return verdict !== FirstByte.LEGAL || type === AUTH || type === DISCONNECT ? verdict : FirstByte.AUTHENTICATION_FIRST;
}

/** Where the answers for a server begin while its client is proving who it is; its version is added as to the others. */
export const authenticatingBase: number = 2 * 8 * 256;
/** By role, version and byte; see `firstByteBase`. */
export const firstBytes: Uint8Array = new Uint8Array(3 * 8 * 256);
for (const version of [0, 4, 5]) {
  for (let byte = 0; byte < 256; byte++) {
    firstBytes[firstByteBase("server", version) + byte] = judge("server", version, byte);
    firstBytes[firstByteBase("client", version) + byte] = judge("client", version, byte);
    firstBytes[authenticatingBase + version * 256 + byte] = judgeAuthenticating(version, byte);
  }
}

/** Where the 256 answers for a role and version begin in `firstBytes`. */
export function firstByteBase(role: "server" | "client", version: number): number {
  return ((role === "server" ? 0 : 8) + version) * 256;
}

/** Reason code and sentence for a verdict other than LEGAL. */
export function explainFirstByte(verdict: number, byte: number): { code: number; reason: string } {
  const name = packetName(byte >>> 4);
  switch (verdict) {
    case FirstByte.RESERVED_TYPE:
      return { code: ReasonCode.MalformedPacket, reason: `${name} does not exist in this version.` };
    case FirstByte.BAD_FLAGS:
      return { code: ReasonCode.MalformedPacket, reason: `${name} has wrong flag bits in its first byte.` };
    case FirstByte.QOS_3:
      return { code: ReasonCode.MalformedPacket, reason: "PUBLISH has QoS 3; only 0, 1 and 2 exist." };
    case FirstByte.DUP_AT_QOS_0:
      return { code: ReasonCode.MalformedPacket, reason: "PUBLISH has DUP set at QoS 0." };
    case FirstByte.CONNECT_FIRST:
      return { code: ReasonCode.ProtocolError, reason: `${name} came before the connection was set up by CONNECT.` };
    case FirstByte.SECOND_CONNECT:
      return { code: ReasonCode.ProtocolError, reason: "A second CONNECT came on the same connection." };
    case FirstByte.AUTHENTICATION_FIRST:
      return { code: ReasonCode.ProtocolError, reason: `${name} came before the authentication was over.` };
    default:
      return { code: ReasonCode.ProtocolError, reason: `${name} must not be sent in this direction.` };
  }
}
