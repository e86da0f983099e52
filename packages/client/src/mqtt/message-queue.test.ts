import { describe, expect, it, vi } from "vitest";
import { MessError } from "../mess-error.ts";
import { MessageQueue } from "./message-queue.ts";
import type { MqttMessage } from "./mqtt-message.ts";

function message(text: string, ack: () => void = () => undefined): MqttMessage {
  return { topic: "t", payload: Buffer.from(text), qos: 1, retain: false, duplicate: false, properties: {}, ack };
}

const text = ({ value }: IteratorResult<MqttMessage, undefined>): string | undefined =>
  value && Buffer.from(value.payload).toString();

describe("MessageQueue", () => {
  it("gives messages in order, to readers who wait and to those who come later", async () => {
    const queue = new MessageQueue({ messagesMax: 10, bytesMax: 1000 }, false, () => undefined);
    const waiting = [queue.next(), queue.next()];
    for (const one of ["a", "b", "c"]) queue.push(message(one));
    expect((await Promise.all(waiting)).map(text)).toEqual(["a", "b"]);
    expect(text(await queue.next())).toBe("c");
  });

  it("says when it is full and when half of it is free again", async () => {
    const onFull = vi.fn();
    const queue = new MessageQueue({ messagesMax: 4, bytesMax: 1000 }, false, onFull);
    for (const one of ["a", "b", "c"]) queue.push(message(one));
    expect(onFull).not.toHaveBeenCalled();
    queue.push(message("d"));
    queue.push(message("e"));
    expect(onFull.mock.calls).toEqual([[true]]);
    await queue.next();
    await queue.next();
    expect(onFull.mock.calls).toEqual([[true]]);
    await queue.next();
    expect(onFull.mock.calls).toEqual([[true], [false]]);
  });

  it("counts bytes too", () => {
    const onFull = vi.fn();
    const queue = new MessageQueue({ messagesMax: 100, bytesMax: 10 }, false, onFull);
    queue.push(message("0123456789"));
    expect(onFull).toHaveBeenCalledWith(true);
  });

  it("lets what it holds be read before it ends", async () => {
    const queue = new MessageQueue({ messagesMax: 4, bytesMax: 1000 }, false, () => undefined);
    queue.push(message("a"));
    queue.end(new MessError("CONNECTION_LOST", "gone"));
    expect(text(await queue.next())).toBe("a");
    await expect(queue.next()).rejects.toThrow("gone");
  });

  it("ends readers who wait", async () => {
    const orderly = new MessageQueue({ messagesMax: 4, bytesMax: 1000 }, false, () => undefined);
    const failed = new MessageQueue({ messagesMax: 4, bytesMax: 1000 }, false, () => undefined);
    const waiting = [orderly.next(), failed.next()] as const;
    orderly.end();
    failed.end(new MessError("CONNECTION_LOST", "gone"));
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    await expect(waiting[1]).rejects.toThrow("gone");
  });

  it("acknowledges a message when the loop comes back, and not when it is left by a throw", async () => {
    const acks: string[] = [];
    const queue = new MessageQueue({ messagesMax: 4, bytesMax: 1000 }, true, () => undefined);
    for (const one of ["a", "b", "c"]) queue.push(message(one, () => acks.push(one)));
    const loop = async (): Promise<void> => {
      for await (const one of queue) if (Buffer.from(one.payload).toString() === "b") throw new Error("cannot");
    };
    await expect(loop()).rejects.toThrow("cannot");
    expect(acks).toEqual(["a"]);
    expect(text(await queue.next())).toBe("c");
    expect(acks).toEqual(["a"]);
  });
});
