/** A sink that writes down every call as a value that can be compared, and a decoder with small limits around it. */
import { type DecodeFailure, type DecoderOptions, PacketDecoder, type PacketSink } from "./decode.ts";
import type { AckPacket, Packet, Properties } from "./packet.ts";
import { publishPacketOf } from "./publish-parts.ts";
import type { PublishView } from "./publish-view.ts";

export type Call = { packet: Packet } | { failure: DecodeFailure };

export class RecordingSink implements PacketSink {
  readonly calls: Call[] = [];
  /** Return false from this call on (1 is the first). */
  stopAt: number = Number.POSITIVE_INFINITY;

  publish(view: PublishView): boolean {
    return this.add({ packet: publishPacketOf(view) });
  }

  packet(packet: Packet): boolean {
    return this.add({ packet });
  }

  ack(type: number, packetId: number, reasonCode: number, properties: Properties | undefined): boolean {
    const packet: AckPacket = { type: type as AckPacket["type"], packetId, reasonCode };
    if (properties !== undefined) packet.properties = properties;
    return this.add({ packet });
  }

  failed(failure: DecodeFailure): void {
    this.add({ failure });
  }

  private add(call: Call): boolean {
    this.calls.push(call);
    return this.calls.length < this.stopAt;
  }
}

export const smallLimits = {
  maxPacketSize: 4096,
  userPropertiesMax: 3,
  userPropertyBytesMax: 20,
  subscriptionsMax: 3,
  topicAliasMax: 10,
};
export const wideLimits = {
  maxPacketSize: 1 << 22,
  userPropertiesMax: 1000,
  userPropertyBytesMax: 1 << 20,
  subscriptionsMax: 1000,
  topicAliasMax: 65_535,
};

export interface Rig {
  decoder: PacketDecoder;
  sink: RecordingSink;
}

export function rig(
  role: "server" | "client",
  version: 0 | 4 | 5,
  limits: Omit<DecoderOptions, "role"> = smallLimits,
): Rig {
  const sink = new RecordingSink();
  const decoder = new PacketDecoder({ role, ...limits }, sink);
  decoder.version = version;
  return { decoder, sink };
}

/** What decoding these bytes in one piece calls. */
export function callsOf(rigged: Rig, bytes: Uint8Array): Call[] {
  rigged.decoder.push(bytes, 0, bytes.length);
  return rigged.sink.calls;
}

/** The version a decoder is in before it gets a packet of this type. */
export function versionBefore(type: number, version: 4 | 5): 0 | 4 | 5 {
  return type === 1 ? 0 : version;
}
