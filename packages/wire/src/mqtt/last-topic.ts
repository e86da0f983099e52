import { copyBytes } from "../native-bytes.ts";

/** Longest topic that is remembered. */
const TOPIC_BYTES_MAX = 256;

/** The topic name of the PUBLISH before, in a small buffer of its own: publishers repeat themselves. */
export class LastTopic {
  private bytes: Uint8Array = new Uint8Array(0);
  /** -1 when there is nothing to compare with. */
  private length = -1;

  equals(bytes: Uint8Array, start: number, end: number): boolean {
    const { length, bytes: mine } = this;
    if (end - start !== length) return false;
    for (let index = 0; index < length; index++) {
      if (mine[index] !== bytes[start + index]) return false;
    }
    return true;
  }

  forget(): void {
    this.length = -1;
  }

  /** Forgets instead when the topic is too long. */
  remember(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > TOPIC_BYTES_MAX) {
      this.forget();
      return;
    }
    if (length > this.bytes.length) this.bytes = new Uint8Array((length + 31) & ~31);
    copyBytes(bytes, start, end, this.bytes, 0);
    this.length = length;
  }
}
