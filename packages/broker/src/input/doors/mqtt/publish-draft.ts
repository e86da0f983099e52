import type { TopicHandle } from "../../../model/engine.ts";
import type { MessageDraft } from "../../../model/message.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { refusalText } from "./send.ts";

/** False when the connection is closing. */
export function publishDraft(
  connection: MqttConnection,
  topic: TopicHandle,
  message: MessageDraft,
  packetId: number,
): boolean {
  const { engine } = connection.context;
  const reason = connection.answers.publish(connection.handle, topic, message, packetId);
  if (reason >= 0x80 && message.qos === 0) {
    connection.fail(reason, engine.explainRefusal() || refusalText(reason));
    return false;
  }
  // One of 3.1.1 is ended when the refusal has its turn. What came behind it is not taken meanwhile: the client will send
  // it again, after the one that was refused, and their order would be lost [MQTT-4.6.0-6].
  if (reason >= 0x80 && connection.out.version !== 5) return false;
  if (engine.congested) connection.waitForCalm();
  return connection.isOpen;
}
