import type { PublishView } from "@mess/wire";
import { MessError } from "../mess-error.ts";
import { openNodeTransport } from "../transport/node-transport.ts";
import { realWorld } from "../world.ts";
import { fullProfile } from "./full-profile.ts";
import { MqttClient } from "./mqtt-client.ts";
import { type OpenMqttOptions, openMqtt } from "./open-mqtt.ts";
import { ScramLogin, type ScramOptions } from "./scram.ts";

export interface MqttConnectOptions extends OpenMqttOptions {
  /** Logs in with a password, which is not sent (MQTT 5.0 and SCRAM-SHA-256); instead of `keyId` and `secret`. */
  readonly scram?: ScramOptions;
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
  const { scram, world = realWorld } = options;
  if (scram !== undefined) checkScram(options);
  return openMqtt(url, options, {
    openTransport: openNodeTransport,
    make: (opened) =>
      new MqttClient({
        ...opened,
        queueMessagesMax,
        queueBytesMax,
        acknowledge,
        profile,
        ...(scram !== undefined && { login: (binding) => new ScramLogin(scram, binding, world) }),
      }),
  });
}

function checkScram({ version, keyId, secret }: MqttConnectOptions): void {
  if (version === 4) throw new MessError("INVALID_ARGUMENT", "a login by password needs MQTT 5.0");
  if (keyId === undefined && secret === undefined) return;
  throw new MessError("INVALID_ARGUMENT", "either a password (scram) or a key (keyId and secret), not both");
}
