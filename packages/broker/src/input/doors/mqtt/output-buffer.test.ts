import { describe, expect, test } from "vitest";
import { FakeTransport } from "./door.test-data.ts";
import { OutputBudget } from "./output-budget.ts";
import { FlushQueue, OutputBuffer } from "./output-buffer.ts";

interface Built {
  readonly transport: FakeTransport;
  readonly output: OutputBuffer;
  readonly budget: OutputBudget;
  endTurn(): void;
  turns(): number;
}

function build(): Built {
  const soon: (() => void)[] = [];
  let turns = 0;
  const transport = new FakeTransport();
  const budget = new OutputBudget(1_000_000);
  const queue = new FlushQueue((run) => {
    turns++;
    soon.push(run);
  });
  const endTurn = (): void => {
    for (const run of soon.splice(0)) run();
  };
  return { transport, budget, output: new OutputBuffer(transport, queue, budget), endTurn, turns: () => turns };
}

const bytes = (length: number, fill: number): Buffer => Buffer.alloc(length, fill);
const sent = (transport: FakeTransport): Buffer => Buffer.concat(transport.sent);

describe("the output buffer", () => {
  test("gathers what is written in a turn into one write", () => {
    const { transport, output, endTurn, turns } = build();
    for (let i = 0; i < 100; i++) output.append(bytes(5, i), 0, 5);
    expect(transport.sent).toEqual([]);
    expect(output.pendingBytes).toBe(500);
    endTurn();
    expect([transport.sent.length, sent(transport).length, output.pendingBytes, turns()]).toEqual([1, 500, 0, 1]);
  });

  test("keeps every byte in order, whatever the sizes", () => {
    const { transport, output, endTurn } = build();
    const written: Buffer[] = [];
    const sizes = [1, 511, 512, 513, 8_191, 8_192, 8_193, 65_535, 65_536, 65_537, 200_000, 3, 70_000, 70_000, 1];
    for (const [i, size] of sizes.entries()) {
      const piece = bytes(size, i + 1);
      written.push(piece);
      output.append(Buffer.concat([bytes(3, 99), piece, bytes(3, 99)]), 3, 3 + size);
    }
    endTurn();
    expect(sent(transport).equals(Buffer.concat(written))).toBe(true);
  });

  test("owns no chunk while nothing is in it, and gives chunks back when the kernel took them", () => {
    const { transport, output, endTurn } = build();
    output.append(bytes(10, 1), 0, 10);
    const chunk = output.chunk;
    endTurn();
    expect(output.chunk).toBeUndefined();
    const other = build();
    other.output.append(bytes(10, 2), 0, 10);
    expect(other.output.chunk).toBe(chunk);
    // One that is still being written from belongs to nobody else.
    transport.isBlocked = true;
    output.append(bytes(10, 3), 0, 10);
    const blocked = output.chunk;
    endTurn();
    const third = build();
    third.output.append(bytes(10, 4), 0, 10);
    expect(third.output.chunk).not.toBe(blocked);
    transport.unblock();
  });

  test("has room until so much waits, for the kernel or for the end of the turn", () => {
    const { transport, output, endTurn } = build();
    output.append(bytes(600, 1), 0, 600);
    // The kernel takes it at once: there is room again, and it is out before the end of the turn.
    expect(output.hasRoom(500)).toBe(true);
    expect(sent(transport).length).toBe(600);
    transport.isBlocked = true;
    output.append(bytes(600, 2), 0, 600);
    expect([output.hasRoom(601), output.hasRoom(500), output.pendingBytes]).toEqual([true, false, 600]);
    endTurn();
    transport.unblock();
    expect(output.hasRoom(500)).toBe(true);
  });

  test("gathers on while the kernel has not taken what came before", () => {
    const { transport, output, endTurn, budget } = build();
    transport.isBlocked = true;
    output.append(bytes(400, 1), 0, 400);
    endTurn();
    for (let turn = 0; turn < 20; turn++) {
      output.append(bytes(1_000, 2), 0, 1_000);
      endTurn();
    }
    expect([transport.sent.length, output.pendingBytes]).toEqual([1, 20_400]);
    // The bytes that wait are not much less than the memory that they take.
    expect(budget.held).toBeLessThan(70_000);
    transport.unblock();
    output.drained();
    endTurn();
    expect([transport.sent.length, sent(transport).length, budget.held]).toEqual([2, 20_400, 0]);
  });

  test("counts memory against the budget until the kernel has it, and gives it all back", () => {
    const { transport, output, endTurn, budget } = build();
    transport.isBlocked = true;
    for (const size of [10, 600, 70_000, 300_000, 3]) output.append(bytes(size, 1), 0, size);
    expect(budget.held).toBeGreaterThan(370_000);
    endTurn();
    output.append(bytes(10, 1), 0, 10);
    output.discard();
    transport.unblock();
    expect([budget.held, budget.share]).toEqual([0, 500_000]);
  });

  test("small writes overtake large ones, which go some at a time", () => {
    const soon: (() => void)[] = [];
    const queue = new FlushQueue((run) => soon.push(run));
    const budget = new OutputBudget(100_000_000);
    const order: number[] = [];
    const outputs = Array.from({ length: 500 }, (_, index) => {
      const transport = new FakeTransport();
      const { send } = transport;
      transport.send = (...parameters: Parameters<typeof send>): void => {
        order.push(index);
        send.apply(transport, parameters);
      };
      return new OutputBuffer(transport, queue, budget);
    });
    for (const [index, output] of outputs.entries())
      output.append(bytes(index === 499 ? 2 : 1_000, 1), 0, index === 499 ? 2 : 1_000);
    soon.shift()?.();
    expect(order[0]).toBe(499);
    expect(order.length).toBeLessThan(200);
    outputs[0]?.append(bytes(1_000, 1), 0, 1_000);
    while (soon.length > 0) soon.shift()?.();
    expect(order.slice(1, 500)).toEqual(Array.from({ length: 499 }, (_, index) => index));
    expect([order.length, budget.held]).toEqual([501, 0]);
  });

  test("what was discarded is not sent", () => {
    const { transport, output, endTurn } = build();
    output.append(bytes(10, 1), 0, 10);
    output.discard();
    endTurn();
    expect([transport.sent.length, output.pendingBytes]).toEqual([0, 0]);
  });

  test("what is written during the flush goes out in the next turn", () => {
    const { transport, output, endTurn } = build();
    const { send } = transport;
    transport.send = (...parameters: Parameters<typeof send>): void => {
      send.apply(transport, parameters);
      if (transport.sent.length === 1) output.append(bytes(4, 2), 0, 4);
    };
    output.append(bytes(4, 1), 0, 4);
    endTurn();
    expect(sent(transport).length).toBe(4);
    endTurn();
    expect(sent(transport).length).toBe(8);
  });
});
