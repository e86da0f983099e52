export { ByteReader } from "./byte-reader.ts";
export { ByteWriter } from "./byte-writer.ts";
export { ACK_BYTES_MAX, writeAck } from "./mqtt/ack-encoder.ts";
export { ClientDecoder, type ClientSink } from "./mqtt/client-decoder.ts";
export { encodeClientPacket } from "./mqtt/client-encoder.ts";
export { type DecodeFailure, type DecoderOptions, PacketDecoder, type PacketSink } from "./mqtt/decode.ts";
export { encodePacket, encodePacketWithin } from "./mqtt/encode.ts";
export * from "./mqtt/packet.ts";
export { packetName } from "./mqtt/packet-name.ts";
export { readProperties, writeForwardProperties, writeProperties } from "./mqtt/properties.ts";
export { NO_SUBSCRIPTION_IDENTIFIERS, PublishEncoder, patchPacketId } from "./mqtt/publish-encoder.ts";
export { copyForwardProperties, publishPacketOf } from "./mqtt/publish-parts.ts";
export { PublishView } from "./mqtt/publish-view.ts";
export {
  connackReturnCode,
  isReasonCodeFor,
  ReasonCode,
  reasonCodeOfReturnCode,
  type Sender,
} from "./mqtt/reason-code.ts";
export { reasonName } from "./mqtt/reason-name.ts";
export { RESERVED_PREFIX } from "./mqtt/reserved-name.ts";
export { checkTopicName, TopicNameCheck } from "./mqtt/topic-grammar.ts";
export { copyBytes, ownBytes } from "./native-bytes.ts";
export { decodeString, isUtf8, STRING_BYTES_MAX, stringByteLength, writeString } from "./utf8.ts";
export {
  readVariableInteger,
  VARIABLE_INTEGER_CUT,
  VARIABLE_INTEGER_MALFORMED,
  VARIABLE_INTEGER_MAX,
  variableIntegerSize,
  writeVariableInteger,
} from "./variable-integer.ts";
