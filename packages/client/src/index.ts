// The form in which a message handler sees a PUBLISH: whoever has the client needs no codec of its own.
export type { PublishView } from "@mess/wire";
export { MessError, type MessErrorCode, type MessErrorDetail } from "./mess-error.ts";
export { type Address, isLoopback, parseAddress } from "./mqtt/address.ts";
export { connectMqtt } from "./mqtt/connect-mqtt.ts";
export {
  type DisconnectOptions,
  MqttClient,
  type MqttPublishOptions,
  type SubscribeAnswer,
  type SubscribeFilter,
} from "./mqtt/mqtt-client.ts";
export type { MqttMessage } from "./mqtt/mqtt-message.ts";
export type { MqttConnectOptions, WillOptions } from "./mqtt/open-mqtt.ts";
export type { MqttPublishResult, Settled } from "./mqtt/publisher.ts";
export type { OpenTransport, Transport, TransportEvents, TransportOptions } from "./transport/transport.ts";
export type { Timer, World } from "./world.ts";
