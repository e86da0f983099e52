// The plain MQTT client under it.
// The form in which a message handler sees a PUBLISH: whoever has the client needs no codec of its own.
export type { PublishView } from "@mess/wire";
export { connect } from "./connect.ts";
export { type Address, isLoopback, parseAddress } from "./mqtt/address.ts";
export { connectMqtt, type MqttConnectOptions } from "./mqtt/connect-mqtt.ts";
export { MqttClient } from "./mqtt/mqtt-client.ts";
export type {
  DisconnectOptions,
  MqttConnection,
  MqttPublishOptions,
  SubscribeAnswer,
} from "./mqtt/mqtt-connection.ts";
export type { MqttMessage } from "./mqtt/mqtt-message.ts";
export type { OpenMqttOptions } from "./mqtt/open-mqtt.ts";
export type { MqttPublishResult, Settled } from "./mqtt/publisher.ts";
export type { ScramOptions } from "./mqtt/scram.ts";
export { type PasswordVerifier, passwordVerifier } from "./mqtt/scram-keys.ts";
export type { SubscribeFilter } from "./mqtt/subscribe-filter.ts";
export * from "./sdk.ts";
