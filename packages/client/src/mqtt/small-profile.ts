import { ClientDecoder, encodeClientPacket, PacketType } from "@mess/wire";
import type { MqttProfile } from "./mqtt-profile.ts";
import { PublishWindow } from "./publish-window.ts";
import { SmallReceiver } from "./small-receiver.ts";

/** MQTT 5.0 at QoS 0 and 1. */
export const smallProfile: MqttProfile = {
  decoder: ({ maximumPacketSize }, events) =>
    new ClientDecoder(maximumPacketSize, {
      packet: (packet) => {
        switch (packet.type) {
          case PacketType.PUBLISH:
            return events.publish(packet);
          case PacketType.PUBACK:
          case PacketType.PUBREC:
          case PacketType.PUBREL:
          case PacketType.PUBCOMP:
            return events.ack(packet.type, packet.packetId, packet.reasonCode, packet.properties);
          default:
            return events.packet(packet);
        }
      },
      failed: (reasonCode, reason) => events.failed(reasonCode, reason),
    }),
  encode: (packet, _version, maximumPacketSize) => encodeClientPacket(packet, maximumPacketSize),
  publisher: (link, ids, inFlightMax) => new PublishWindow(link, ids, inFlightMax),
  receiver: (link, options) => new SmallReceiver(link, options),
};
