import type { SubackPacket, UnsubackPacket } from "@mess/wire";
import { MessError } from "../mess-error.ts";

type Answer = SubackPacket | UnsubackPacket;

interface Request {
  readonly type: Answer["type"];
  readonly deadline: number;
  resolve(answer: Answer): void;
  reject(error: MessError): void;
}

/** SUBSCRIBE and UNSUBSCRIBE that wait for their answer. */
export class Requests {
  readonly #open = new Map<number, Request>();

  wait(packetId: number, type: Answer["type"], deadline: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#open.set(packetId, { type, deadline, resolve, reject });
    });
  }

  /** False when nothing waits for it. */
  answer(packet: Answer): boolean {
    const request = this.#open.get(packet.packetId);
    if (request === undefined || request.type !== packet.type) return false;
    this.#open.delete(packet.packetId);
    request.resolve(packet);
    return true;
  }

  tick(now: number): void {
    for (const [packetId, request] of this.#open) {
      if (request.deadline > now) continue;
      this.#open.delete(packetId);
      request.reject(new MessError("TIMEOUT", "the server did not answer in time"));
    }
  }

  fail(error: MessError): void {
    for (const request of this.#open.values()) request.reject(error);
    this.#open.clear();
  }
}
