import type { MqttMessage } from "../mqtt/mqtt-message.ts";

/** A message on its way through the client, acknowledged when the last of its readers is done with it. */
export class Delivery {
  /** Undefined from when it is done: whoever remembers the delivery does not keep its payload. */
  #message: MqttMessage | undefined;
  #open = 0;

  constructor(message: MqttMessage) {
    this.#message = message;
  }

  /** For a reader that is not done with it. */
  get message(): MqttMessage {
    return this.#message as MqttMessage;
  }

  /** Whether every reader is done. */
  get done(): boolean {
    return this.#message === undefined;
  }

  /** One reader more. Returns what it calls once, when it is done; 0x80 and above refuses the message. */
  read(): (reasonCode?: number) => void {
    this.#open += 1;
    let mine = true;
    return (reasonCode = 0) => {
      if (!mine) return;
      mine = false;
      this.#open -= 1;
      if (this.#open > 0) return;
      this.#message?.ack(reasonCode);
      this.#message = undefined;
    };
  }

  /** The server sent it again, over another connection: there it has to be acknowledged now. */
  again(message: MqttMessage): void {
    if (this.done) message.ack();
    else this.#message = message;
  }
}
