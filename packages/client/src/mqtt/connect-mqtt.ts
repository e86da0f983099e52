import type { PublishView } from "@mess/wire";
import { openNodeTransport } from "../transport/node-transport.ts";
import { fullProfile } from "./full-profile.ts";
import { MqttClient } from "./mqtt-client.ts";
import { type OpenMqttOptions, openMqtt } from "./open-mqtt.ts";

export interface MqttConnectOptions extends OpenMqttOptions {
  /** Messages, and bytes of payload, held for the reader before the socket is paused: 1,000 and 8 MiB by default. */
  readonly queueMessagesMax?: number;
  readonly queueBytesMax?: number;
  /** "auto" (default): a message is acknowledged when its reader asks for the next one. "manual": by `message.ack()`. */
  readonly acknowledge?: "auto" | "manual";
  /** Publishes, and bytes of payload, that may wait to be sent: 10,000 and 8 MiB by default. */
  readonly waitingMax?: number;
  readonly waitingBytesMax?: number;
  /** For load tools: sees each message as bytes, instead of the iterator; acknowledged when it returns. */
  readonly onMessageView?: (view: PublishView) => void;
}

const mebibyte = 1_048_576;

/**
 * The plain MQTT client, one connection: connects to `mqtts://host[:port]` (or `mqtt://` on this machine) and resolves
 * when the server has accepted. `connect` is what applications want.
 *
 * @throws MessError
 */
export function connectMqtt(url: string, options: MqttConnectOptions = {}): Promise<MqttClient> {
  const { queueMessagesMax = 1000, queueBytesMax = 8 * mebibyte, acknowledge = "auto" } = options;
  const { waitingMax = 10_000, waitingBytesMax = 8 * mebibyte, onMessageView } = options;
  const profile = fullProfile({ waitingMax, waitingBytesMax, onMessageView });
  return openMqtt(url, options, {
    openTransport: openNodeTransport,
    make: (opened) => new MqttClient({ ...opened, queueMessagesMax, queueBytesMax, acknowledge, profile }),
  });
}
