import { openNodeTransport } from "../transport/node-transport.ts";
import type { MqttClient } from "./mqtt-client.ts";
import { type MqttConnectOptions, openMqtt } from "./open-mqtt.ts";

/**
 * The plain MQTT client, one connection: connects to `mqtts://host[:port]` (or `mqtt://` on this machine) and resolves
 * when the server has accepted. `connect` is what applications want.
 *
 * @throws MessError
 */
export function connectMqtt(url: string, options: MqttConnectOptions = {}): Promise<MqttClient> {
  return openMqtt(url, options, openNodeTransport);
}
