/** Properties of one PUBLISH in wire form (MQTT 5.0 section 2.2.2), written into bytes that are used again. */
import { writeString } from "@mess/wire";

const responseTopicId = 0x08;
const correlationDataId = 0x09;
const userPropertyId = 0x26;
const bytesFirst = 1_024;

export class PropertyBytes {
  bytes: Buffer = Buffer.allocUnsafeSlow(bytesFirst);
  length = 0;

  clear(): void {
    this.length = 0;
    // One large message must not keep its room for ever.
    if (this.bytes.length > 64 * bytesFirst) this.bytes = Buffer.allocUnsafeSlow(bytesFirst);
  }

  /** Name and value have at most 65,535 bytes each. */
  user(name: string, value: string): void {
    this.#id(userPropertyId);
    this.#string(name);
    this.#string(value);
  }

  responseTopic(topic: string): void {
    this.#id(responseTopicId);
    this.#string(topic);
  }

  /** As the bytes of a text. */
  correlationData(text: string): void {
    this.#id(correlationDataId);
    this.#string(text);
  }

  /** Properties that are in wire form already. */
  append(properties: Uint8Array): void {
    this.#reserve(properties.length);
    this.bytes.set(properties, this.length);
    this.length += properties.length;
  }

  #id(id: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = id;
  }

  #string(text: string): void {
    this.#reserve(2 + 3 * text.length);
    this.length = writeString(this.bytes, this.length, text);
  }

  #reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
