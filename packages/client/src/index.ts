// The plain MQTT client under it.
// The form in which a message handler sees a PUBLISH: whoever has the client needs no codec of its own.
export type { PublishView } from "@mess/wire";
export { connect } from "./connect.ts";
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
export type { MqttConnectOptions } from "./mqtt/open-mqtt.ts";
export type { MqttPublishResult, Settled } from "./mqtt/publisher.ts";
export * from "./sdk.ts";
