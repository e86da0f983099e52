import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { milliseconds } from "./duration.ts";
import { FakeBroker } from "./fake-broker.test-data.ts";
import { MessError } from "./mess-error.ts";
import { openClient } from "./open-client.test-data.ts";
import { describeIssues } from "./payload/standard-schema.ts";
import { MessageIds } from "./publish/message-ids.ts";
import { traceOf, traceProperties, withTrace } from "./trace.ts";
import { realWorld } from "./world.ts";

describe("durations", () => {
  it.each([
    [250, 250],
    [0, 0],
    ["250ms", 250],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    ["1h30m", 5_400_000],
  ])("%j is %i ms", (text, expected) => {
    expect(milliseconds(text, "x")).toBe(expected);
  });

  it.each(["", "1", "h", "1 h", "-1h", "1H", "1e3s", "1h30", Number.NaN, -1, -0.1])("%j is none", (text) => {
    expect(() => milliseconds(text, "delay")).toThrow(/^delay is not a duration/u);
  });

  it("of any text are a number or a MessError, quickly", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.msh]*$/u)), (text) => {
        try {
          return milliseconds(text, "x") >= 0;
        } catch (error) {
          return error instanceof MessError;
        }
      }),
    );
    const began = performance.now();
    expect(() => milliseconds(`${"1".repeat(50_000)}x`, "x")).toThrow();
    expect(() => milliseconds(`${"1m".repeat(20_000)}x`, "x")).toThrow();
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("message ids", () => {
  it("are of one producer, and never the same", () => {
    const ids = new MessageIds(realWorld);
    const made = Array.from({ length: 1000 }, () => ids.next());
    expect(new Set(made).size).toBe(1000);
    expect(new Set(made.map((id) => id.split(".")[0])).size).toBe(1);
    expect(new MessageIds(realWorld).next()).not.toBe(made[0]);
  });
});

describe("trace context", () => {
  const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  it("is read as the standard says", () => {
    expect(
      traceOf([
        ["traceparent", valid],
        ["tracestate", "a=b"],
      ]),
    ).toEqual({
      traceparent: valid,
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      sampled: true,
      tracestate: "a=b",
    });
    expect(traceOf([["traceparent", `cc${valid.slice(2)}-more`]])?.sampled).toBe(true);
  });

  it.each([
    undefined,
    "",
    "x",
    `${valid}-more`,
    `ff${valid.slice(2)}`,
    valid.toUpperCase(),
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
  ])("%s is none", (traceparent) => {
    expect(traceOf(traceparent === undefined ? [] : [["traceparent", traceparent]])).toBeUndefined();
  });

  it("goes out from the provider, and handlers run within it", async () => {
    const broker = new FakeBroker();
    const queue = broker.queue("work", "t");
    const ran: (string | undefined)[] = [];
    const tracing = {
      inject: () => ({ traceparent: valid, tracestate: "a=b" }),
      run: <Result>(parent: { traceId: string } | undefined, handler: () => Result): Result => {
        ran.push(parent?.traceId);
        return handler();
      },
    };
    const { mess } = await openClient({ tracing }, broker);
    await mess.topic("t").publish(1);
    expect(broker.log[0]?.properties.userProperties).toContainEqual(["traceparent", valid]);
    expect(broker.log[0]?.properties.userProperties).toContainEqual(["tracestate", "a=b"]);
    const stop = new AbortController();
    const working = mess.queue("work").process(() => undefined, { signal: stop.signal });
    await vi.waitFor(() => expect(queue.acked).toHaveLength(1));
    stop.abort();
    await working;
    expect(ran).toEqual(["0af7651916cd43dd8448eb211c80319c"]);
  });

  it("of a provider that fails loses no message, and runs no handler twice", () => {
    const inject = (): never => {
      throw new Error("no");
    };
    expect(traceProperties(undefined, { inject })).toEqual([]);
    const failing = { inject, run: inject };
    expect(withTrace(failing, undefined, () => "ran")).toBe("ran");
    let count = 0;
    const after = {
      inject,
      run: <Result>(_parent: unknown, handler: () => Result): Result => {
        handler();
        throw new Error("after");
      },
    };
    expect(() => withTrace(after, undefined, () => (count += 1))).toThrow("after");
    expect(count).toBe(1);
  });

  it("that is not one is not sent", () => {
    expect(traceProperties({ traceparent: "x\r\ny" }, undefined)).toEqual([]);
  });
});

describe("issues of a schema", () => {
  it("say where, and not more than a few", () => {
    const issue = { message: "is bad", path: ["a", 0, { key: "b" }] };
    expect(describeIssues([issue])).toBe("/a/0/b: is bad");
    expect(describeIssues([{ message: "is bad" }])).toBe("is bad");
    expect(describeIssues(Array.from({ length: 5 }, () => issue))).toMatch(/; and 2 more$/u);
    expect(describeIssues([])).toBe("it is not valid");
  });
});
