import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import type { Timer, Timers } from "../../../host/host.ts";
import { Deadlines } from "../../deadlines.ts";
import { EventStream } from "./event-stream.ts";

/** Time that passes when a test says so. */
class TestTimers implements Timers {
  #now = 0;
  #waiting: { at: number; run: () => void }[] = [];

  after(milliseconds: number, run: () => void): Timer {
    const entry = { at: this.#now + milliseconds, run };
    this.#waiting.push(entry);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      },
    };
  }

  soon(run: () => void): void {
    run();
  }

  pass(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const [next] = this.#waiting.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
}

class TestResponse extends EventEmitter {
  readonly written: string[] = [];
  writableLength = 0;
  accepts = true;
  closed = false;
  destroyed = false;
  ended = false;

  write(text: string): boolean {
    this.written.push(text);
    if (!this.accepts) this.writableLength += text.length;
    return this.accepts;
  }

  end(): void {
    this.ended = true;
  }

  drain(): void {
    this.writableLength = 0;
    this.accepts = true;
    this.emit("drain");
  }
}

function open(): { stream: EventStream; response: TestResponse; timers: TestTimers; calls: string[] } {
  const response = new TestResponse();
  const timers = new TestTimers();
  const calls: string[] = [];
  const stream = new EventStream({
    outgoing: response as unknown as ServerResponse,
    deadlines: new Deadlines(timers),
    bytesMax: 1_000,
    drained: () => calls.push("drained"),
    closed: () => calls.push("closed"),
  });
  return { stream, response, timers, calls };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("EventStream", () => {
  it("writes what was sent in one turn of the loop at once", async () => {
    const { stream, response } = open();
    stream.send({ event: "a", id: "1", data: { text: "x\ny" } });
    stream.send({ data: 2 });
    expect(response.written).toEqual([]);
    await turn();
    expect(response.written).toEqual(['retry: 2000\n\nevent: a\nid: 1\ndata: {"text":"x\\ny"}\n\ndata: 2\n\n']);
  });

  it("is heard of every 15 s, until it is over", async () => {
    const { response, timers } = open();
    await turn();
    for (let round = 1; round <= 3; round++) {
      timers.pass(15_200);
      await turn();
      expect(response.written).toHaveLength(1 + round);
      expect(response.written.at(-1)).toMatch(/^: .*\n\n$/);
    }
    response.emit("close");
    timers.pass(60_000);
    await turn();
    expect(response.written).toHaveLength(4);
    expect(timers.waiting).toBe(0);
  });

  it("is full at its bound, pending bytes counted, and has room again when they are out", async () => {
    const { stream, response, calls, timers } = open();
    await turn();
    response.accepts = false;
    stream.send({ data: "x".repeat(980) });
    expect(stream.hasRoom).toBe(true);
    stream.send({ data: "x" });
    expect(stream.hasRoom).toBe(false);
    await turn();
    expect(stream.hasRoom).toBe(false);
    // Not even a sign of life is added to what nobody takes.
    timers.pass(16_000);
    await turn();
    expect(response.written).toHaveLength(2);
    response.drain();
    expect([stream.hasRoom, ...calls]).toEqual([true, "drained"]);
  });

  it("has room again after a write that went through, though it was full before", async () => {
    const { stream, calls } = open();
    stream.send({ data: "x".repeat(2_000) });
    expect(stream.hasRoom).toBe(false);
    await turn();
    expect([stream.hasRoom, ...calls]).toEqual([true, "drained"]);
  });

  it("says why it ends, and nothing after", async () => {
    const { stream, response, calls } = open();
    stream.send({ data: 1 });
    stream.end("quota", "too much");
    stream.end("quota", "again");
    stream.send({ data: 2 });
    await turn();
    expect(response.written.join("")).toBe(
      'retry: 2000\n\ndata: 1\n\nevent: end\ndata: {"reason":"quota","text":"too much"}\n\n',
    );
    expect([response.ended, stream.hasRoom, calls.length]).toEqual([true, false, 0]);
    response.emit("close");
    expect(calls).toEqual(["closed"]);
  });

  it("runs what is to follow a write after it", async () => {
    const { stream, response } = open();
    stream.send({ data: 1 });
    const seen: number[] = [];
    stream.afterWrite(() => seen.push(response.written.length));
    await turn();
    expect(seen).toEqual([1]);
  });
});
