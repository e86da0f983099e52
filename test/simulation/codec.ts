import {
  encodePacket,
  type Packet,
  PacketDecoder,
  PacketType,
  type ProtocolVersion,
  publishPacketOf,
} from "../../packages/wire/src/index.ts";
import { Violation } from "./facts.ts";

/** The client's side of the wire: bytes from the broker as packets, in any pieces. */
export class ClientStream {
  readonly #decoder: PacketDecoder;

  constructor(version: ProtocolVersion, take: (packet: Packet) => void) {
    const options = {
      role: "client",
      maxPacketSize: 1 << 20,
      userPropertiesMax: 64,
      userPropertyBytesMax: 65_536,
      subscriptionsMax: 64,
    } as const;
    const pass = (packet: Packet): boolean => {
      take(packet);
      return true;
    };
    this.#decoder = new PacketDecoder(options, {
      publish: (view) => pass(publishPacketOf(view)),
      packet: pass,
      ack: (type, packetId, reasonCode) => pass({ type, packetId, reasonCode } as Packet),
      failed: ({ reason }) => {
        throw new Violation("protocol", `the broker sent what is not MQTT: ${reason}`);
      },
    });
    this.#decoder.version = version;
  }

  push(bytes: Buffer): void {
    this.#decoder.push(bytes, 0, bytes.length);
  }
}

export function encode(packet: Packet, version: ProtocolVersion): Buffer {
  const bytes = encodePacket(packet, version);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export { PacketType };
