import { PacketType } from "@mess/wire";
import { describe, expect, it, vi } from "vitest";
import { userProperty } from "../connection/user-property.ts";
import type { FakeBroker } from "../fake-broker.test-data.ts";
import { openClient, readingSchema } from "../open-client.test-data.ts";

function from(broker: FakeBroker): string | undefined {
  const subscribe = broker.connections.at(-1)?.received.find(({ type }) => type === PacketType.SUBSCRIBE);
  return subscribe !== undefined && "properties" in subscribe
    ? userProperty(subscribe.properties, "mess-from")
    : undefined;
}

describe("read", () => {
  it("gives everything that is kept, then ends", async () => {
    const { mess, broker } = await openClient();
    for (let index = 0; index < 5; index += 1) broker.publish("orders/1", String(index));
    const seen: unknown[] = [];
    for await (const { value, offset } of mess.stream("orders/#").read({ follow: false, idle: 30 })) {
      seen.push([value, offset]);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4].map((index) => [index, index]));
    expect(broker.open).toHaveLength(1);
  });

  it("does not take a slow loop for the end", async () => {
    const { mess, broker } = await openClient();
    for (let index = 0; index < 5; index += 1) broker.publish("t", String(index));
    const seen: unknown[] = [];
    for await (const { value } of mess.stream("t").read({ follow: false, idle: 10, prefetch: 2 })) {
      seen.push(value);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it("gives a slow loop all that came within its limit", async () => {
    const { mess, broker } = await openClient();
    for (let index = 0; index < 5; index += 1) broker.publish("t", String(index));
    const seen: unknown[] = [];
    for await (const { value } of mess.stream("t").read({ limit: 4 })) {
      seen.push(value);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it("follows, up to a limit", async () => {
    const { mess, broker } = await openClient();
    broker.publish("t", "0");
    const seen: unknown[] = [];
    for await (const { value } of mess.stream("t").read({ limit: 3 })) {
      seen.push(value);
      broker.publish("t", String(seen.length));
    }
    expect(seen).toEqual([0, 1, 2]);
    await vi.waitFor(() => expect(broker.open).toHaveLength(1));
  });

  it.each([
    ["earliest", "earliest"],
    ["latest", "latest"],
    [{ offset: 7 }, "7"],
    [{ offset: 0 }, "earliest"],
    [{ time: "2030-01-02T03:04:05Z" }, "2030-01-02T03:04:05.000Z"],
    [{ time: new Date(0) }, "1970-01-01T00:00:00.000Z"],
  ] as const)("from %j asks for %s", async (position, asked) => {
    const { mess, broker } = await openClient();
    const reader = mess.stream("t").read({ from: position });
    await reader.ready;
    expect(from(broker)).toBe(asked);
    await reader.return();
  });

  it("from a time ago means the time of the call", async () => {
    const { mess, broker } = await openClient();
    const reader = mess.stream("t").read({ from: { time: "-2h" } });
    await reader.ready;
    const age = Date.now() - Date.parse(from(broker) ?? "");
    expect(age).toBeGreaterThanOrEqual(7_200_000);
    expect(age).toBeLessThan(7_230_000);
    await reader.return();
  });

  it.each([{ offset: -1 }, { offset: 0.5 }, { time: "yesterday" }, { time: "-2 h" }])(
    "refuses %j",
    async (position) => {
      const { mess } = await openClient();
      expect(() => mess.stream("t").read({ from: position })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    },
  );

  it("passes over what is invalid", async () => {
    const { mess, broker } = await openClient();
    broker.publish("t", "{}");
    broker.publish("t", '{"celsius":1}');
    const invalid: unknown[] = [];
    const options = { limit: 2, onInvalid: (error: unknown) => invalid.push(error) };
    const seen: unknown[] = [];
    for await (const { value } of mess.stream("t", { schema: readingSchema }).read(options)) seen.push(value);
    expect(seen).toEqual([{ celsius: 1, checked: true }]);
    expect(invalid).toHaveLength(1);
  });

  it("ends by its signal", async () => {
    const { mess } = await openClient();
    for await (const _ of mess.stream("t").read({ signal: AbortSignal.timeout(20) })) expect.unreachable();
    for await (const _ of mess.stream("t").read({ signal: AbortSignal.abort() })) expect.unreachable();
  });
});
