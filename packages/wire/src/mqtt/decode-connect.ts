import type { ConnectPacket, Properties, QoS, Will } from "./packet.ts";
import { PacketType } from "./packet.ts";
import type { PacketReader } from "./packet-reader.ts";
import { WILL } from "./property-table.ts";
import { ReasonCode } from "./reason-code.ts";

const Flag = { RESERVED: 0x01, CLEAN_START: 0x02, WILL: 0x04, WILL_RETAIN: 0x20, PASSWORD: 0x40, USERNAME: 0x80 };

/** CONNECT [MQTT 5.0 section 3.1]; undefined when the reader has a fault. */
export function decodeConnect(reader: PacketReader): ConnectPacket | undefined {
  const version = decodeProtocol(reader);
  const flags = reader.uint8("the connect flags");
  const keepAlive = reader.uint16("the keep alive");
  checkFlags(reader, flags, version);
  const properties = version === 5 ? reader.properties(PacketType.CONNECT) : undefined;
  // [MQTT 5.0 section 3.1.2.11.10]
  if (properties?.authenticationData && properties.authenticationMethod === undefined) {
    reader.protocolError("CONNECT has Authentication Data but no Authentication Method.");
  }
  const clientId = reader.string("the client identifier");
  const will = (flags & Flag.WILL) !== 0 ? decodeWill(reader, flags, version) : undefined;
  const username = (flags & Flag.USERNAME) !== 0 ? reader.string("the user name") : undefined;
  const password = (flags & Flag.PASSWORD) !== 0 ? reader.binary("the password") : undefined;
  reader.finish();
  if (reader.faultCode !== 0) return undefined;
  const packet: ConnectPacket = {
    type: PacketType.CONNECT,
    version,
    cleanStart: (flags & Flag.CLEAN_START) !== 0,
    keepAlive,
    clientId,
  };
  if (will !== undefined) packet.will = will;
  if (username !== undefined) packet.username = username;
  if (password !== undefined) packet.password = password;
  if (properties !== undefined) packet.properties = properties;
  return packet;
}

/** Protocol name and level [MQTT-3.1.2-1, -2]. MQIsdp was the name up to level 3. */
function decodeProtocol(reader: PacketReader): 4 | 5 {
  const name = reader.string("the protocol name");
  const level = reader.uint8("the protocol level");
  if (reader.faultCode !== 0) return 4;
  if (name === "MQTT" || name === "MQIsdp") reader.protocolLevel = level;
  if (name === "MQTT" && level === 5) return 5;
  if (name !== "MQTT" || level !== 4) {
    reader.fail(ReasonCode.UnsupportedProtocolVersion, "CONNECT asks for neither MQTT 3.1.1 nor MQTT 5.0.");
  }
  return 4;
}

function checkFlags(reader: PacketReader, flags: number, version: 4 | 5): void {
  if ((flags & Flag.RESERVED) !== 0) reader.malformed("CONNECT has its reserved flag set."); // [MQTT-3.1.2-3]
  const willQoS = (flags >>> 3) & 3;
  if ((flags & Flag.WILL) === 0) {
    if (willQoS !== 0 || (flags & Flag.WILL_RETAIN) !== 0) {
      reader.malformed("CONNECT has a will QoS or will retain flag without the will flag."); // [MQTT-3.1.2-11, -13]
    }
  } else if (willQoS === 3) {
    reader.malformed("CONNECT has will QoS 3; only 0, 1 and 2 exist."); // [MQTT-3.1.2-12]
  }
  if (version === 4 && (flags & Flag.PASSWORD) !== 0 && (flags & Flag.USERNAME) === 0) {
    reader.malformed("CONNECT has a password without a user name, which MQTT 3.1.1 forbids."); // [MQTT-3.1.2-22, 3.1.1]
  }
}

function decodeWill(reader: PacketReader, flags: number, version: 4 | 5): Will {
  const properties: Properties | undefined = version === 5 ? reader.properties(WILL) : undefined;
  const topic = reader.topicName("Will Topic");
  const payload = reader.binary("the will payload");
  const will: Will = {
    topic,
    payload,
    qos: ((flags >>> 3) & 3) as QoS,
    retain: (flags & Flag.WILL_RETAIN) !== 0,
  };
  if (properties !== undefined) will.properties = properties;
  return will;
}
