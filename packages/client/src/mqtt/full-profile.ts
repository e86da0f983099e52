import { type AckPacket, encodePacketWithin, PacketDecoder, type PublishView, publishPacketOf } from "@mess/wire";
import type { MqttProfile } from "./mqtt-profile.ts";
import { Publisher } from "./publisher.ts";
import { Receiver } from "./receiver.ts";
import { writePublish } from "./write-publish.ts";

export interface FullProfileOptions {
  /** Publishes that may wait for the server, by number and payload bytes; more are refused with QUEUE_FULL. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
  /** Takes messages as bytes that are valid during the call, instead of as objects. */
  readonly onMessageView: ((view: PublishView) => void) | undefined;
}

/** All of it: both versions, every QoS; and messages as bytes, for load tools. */
export function fullProfile({ waitingMax, waitingBytesMax, onMessageView }: FullProfileOptions): MqttProfile {
  return {
    decoder: ({ version, maximumPacketSize }, events) => {
      const decoder = new PacketDecoder(
        {
          role: "client",
          maxPacketSize: maximumPacketSize,
          userPropertiesMax: 1000,
          userPropertyBytesMax: 65_536,
          subscriptionsMax: 65_535,
        },
        {
          publish: (view) => events.publish(onMessageView === undefined ? publishPacketOf(view) : view),
          packet: (packet) => events.packet(packet as Parameters<typeof events.packet>[0]),
          ack: (type, packetId, reasonCode, properties) =>
            events.ack(type as AckPacket["type"], packetId, reasonCode, properties),
          failed: ({ reasonCode, reason }) => events.failed(reasonCode, reason),
        },
      );
      decoder.version = version;
      return decoder;
    },
    encode: encodePacketWithin,
    writePublish,
    publisher: (link, ids, inFlightMax) => new Publisher(link, ids, { inFlightMax, waitingMax, waitingBytesMax }),
    receiver: (link, options) => new Receiver(link, options, onMessageView),
  };
}
