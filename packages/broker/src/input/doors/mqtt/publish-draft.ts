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
  if (engine.congested) connection.waitForCalm();
  return connection.isOpen;
}
