import type { MqttMessage } from "../mqtt/mqtt-message.ts";

/** A message on its way through the client, acknowledged when the last of its readers is done with it. */
export class Delivery {
  #message: MqttMessage;
  #open = 0;

  constructor(message: MqttMessage) {
    this.#message = message;
  }

  get message(): MqttMessage {
    return this.#message;
  }

  /** Whether every reader is done. */
  get done(): boolean {
    return this.#open === 0;
  }

  /** One reader more. Returns what it calls once, when it is done; 0x80 and above refuses the message. */
  read(): (reasonCode?: number) => void {
    this.#open += 1;
    let mine = true;
    return (reasonCode = 0) => {
      if (!mine) return;
      mine = false;
      this.#open -= 1;
      if (this.#open === 0) this.#message.ack(reasonCode);
    };
  }

  /** The server sent it again, over another connection: there it has to be acknowledged now. */
  again(message: MqttMessage): void {
    this.#message = message;
    if (this.#open === 0) message.ack();
  }
}
