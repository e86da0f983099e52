import { describe, expect, it } from "vitest";
import { defaultLimits } from "../config/limits.ts";
import { defaultDeclarationLimits } from "../model/setting-bounds.ts";
import type { TopicSettings } from "../model/settings.ts";
import { checkPolicy } from "./policy-check.ts";

const limits = defaultDeclarationLimits;

function check(settings: unknown, filter = "orders/#"): { path: string; text: string } | TopicSettings | undefined {
  const checked = checkPolicy({ topics: { [filter]: settings } });
  if ("policy" in checked) return checked.policy.topics?.[filter];
  const [first, ...more] = checked.problems;
  if (first === undefined || more.length > 0) throw new Error(JSON.stringify(checked.problems));
  return { path: first.path, text: `${first.message}; ${first.hint ?? ""}` };
}

describe("the section `topics`", () => {
  it("is held to the limits of the configuration", () => {
    for (const [name, value] of Object.entries(limits)) {
      expect(defaultLimits[name as keyof typeof limits], name).toBe(value);
    }
  });

  it.each<[string, unknown, TopicSettings]>([
    ["nothing", {}, {}],
    ["an owner", { owner: "shop" }, { owner: "shop" }],
    ["an age", { retention: "7d" }, { retention: { ageMs: 604_800_000 } }],
    ["an age in milliseconds", { retention: 1_000 }, { retention: { ageMs: 1_000 } }],
    ["the longest age", { retention: "36500d" }, { retention: { ageMs: 36_500 * 86_400_000 } }],
    ["bytes", { retention: { bytes: "1GiB" } }, { retention: { bytes: 1024 ** 3 } }],
    ["the most bytes", { retention: { bytes: 2 ** 50 } }, { retention: { bytes: 2 ** 50 } }],
    ["both", { retention: { age: "1s", bytes: 1 } }, { retention: { ageMs: 1_000, bytes: 1 } }],
    ["the smallest message", { maxMessageSize: 1 }, { maxMessageBytes: 1 }],
    ["the largest message", { maxMessageSize: "1MiB" }, { maxMessageBytes: 1024 * 1024 }],
    ["no signing", { signing: "none" }, { signing: "none" }],
    ["signed messages", { signing: "required" }, { signing: "required" }],
    ["a schema", { schema: { type: "object" } }, { schema: { type: "object" } }],
    ["a schema as text", { schema: '{"const": null}' }, { schema: { const: null } }],
    ["a rate of messages", { rate: { messages: "1000/s" } }, { rate: { messagesPerSecond: 1_000 } }],
    [
      "both rates",
      { rate: { messages: "1/s", bytes: "1MiB/s" } },
      { rate: { messagesPerSecond: 1, bytesPerSecond: 1024 * 1024 } },
    ],
    ["a schema of nothing", { schema: false }, { schema: false }],
    ["a key", { key: "orders/{id}/#" }, { key: "orders/{id}/#" }],
    ["a key of the last level", { key: "orders/+/{id}" }, { key: "orders/+/{id}" }],
  ])("takes %s", (_what, settings, expected) => {
    expect(check(settings)).toEqual(expected);
  });

  it.each<[string, unknown, string, RegExp]>([
    ["no table", "shop", "", /is a table/],
    ["an unknown key", { maxMessageSiz: 1 }, ".maxMessageSiz", /did you mean `maxMessageSize`/],
    ["the name of the inside", { maxMessageBytes: 1 }, ".maxMessageBytes", /not a key/],
    ["an owner of no name", { owner: "a/b" }, ".owner", /holds no `\/`/],
    ["an owner that is no text", { owner: 7 }, ".owner", /name of a principal/],
    ["an age that is too short", { retention: "999ms" }, ".retention", /from 1 s to 36500 d/],
    ["an age that is too long", { retention: "36501d" }, ".retention", /out of range/],
    ["an age without a unit", { retention: "7" }, ".retention", /a duration such as/],
    ["a fraction", { retention: 1_000.5 }, ".retention", /a duration such as/],
    ["retention of another type", { retention: ["7d"] }, ".retention", /a duration such as/],
    ["retention of nothing", { retention: {} }, ".retention", /is empty/],
    ["an unknown part of retention", { retention: { ages: "7d" } }, ".retention.ages", /`age`/],
    ["no byte", { retention: { bytes: 0 } }, ".retention.bytes", /out of range/],
    ["too many bytes", { retention: { bytes: 2 ** 50 + 1 } }, ".retention.bytes", /out of range/],
    ["messages of no byte", { maxMessageSize: 0 }, ".maxMessageSize", /out of range/],
    ["messages of a byte too many", { maxMessageSize: 1024 * 1024 + 1 }, ".maxMessageSize", /1 MiB/],
    ["a huge number", { maxMessageSize: 1e300 }, ".maxMessageSize", /a size such as/],
    ["a size that is none", { maxMessageSize: "1 apple" }, ".maxMessageSize", /a size such as/],
    ["signing by another word", { signing: "yes" }, ".signing", /required/],
    ["a schema that is no JSON", { schema: "{" }, ".schema", /is JSON/],
    ["a schema that is a list", { schema: [] }, ".schema", /is a table/],
    ["a schema that JSON cannot hold", { schema: { const: Number.POSITIVE_INFINITY } }, ".schema", /what JSON has/],
    ["a schema with a function", { schema: { const: () => 1 } }, ".schema", /what JSON has/],
    ["a key without a level", { key: "orders/+/#" }, ".key", /exactly one level/],
    ["a key of two levels", { key: "orders/{a}/{b}" }, ".key", /exactly one level/],
    ["a key of half a level", { key: "orders/x{a}" }, ".key", /exactly one level/],
    ["a key of no name", { key: "orders/{}" }, ".key", /exactly one level/],
    ["a key that is no filter", { key: "orders/{a}/#/b" }, ".key", /`#` stands alone/],
    ["a key of other topics", { key: "plants/{a}" }, ".key", /matches no topic/],
    ["a rate without a table", { rate: "1000/s" }, ".rate", /table with `messages`, `bytes` or both; rate = /],
    ["an empty rate", { rate: {} }, ".rate", /empty/],
    ["a rate of something else", { rate: { connects: "1/s" } }, ".rate.connects", /valid here: messages, bytes/],
    ["a rate without its time", { rate: { messages: 1_000 } }, ".rate.messages", /such as "1000\/s", from 1\/s/],
    ["a rate of another time", { rate: { messages: "1000/m" } }, ".rate.messages", /such as "1000\/s"/],
    ["a rate of none", { rate: { bytes: "0B/s" } }, ".rate.bytes", /out of range; it goes from 1B\/s/],
    ["a key that is no text", { key: 1 }, ".key", /in quotes/],
  ])("refuses %s", (_what, settings, path, text) => {
    const found = check(settings) as { path: string; text: string };
    expect(found.path).toBe(`topics."orders/#"${path}`);
    expect(found.text).toMatch(text);
  });

  it.each(["", "$SYS/#", "$mess/queue/x", "a/#/b", "a+", "a\u0000", "x".repeat(1_025), "a/".repeat(64)])(
    "refuses the filter %j",
    (filter) => {
      expect(check({}, filter)).toHaveProperty("path");
    },
  );

  it("takes filters and schemas at their limits, and no longer ones", () => {
    expect(check({}, "x".repeat(1_024))).toEqual({});
    expect(check({}, "a/".repeat(63))).toEqual({});
    const schema = (bytes: number): unknown => ({ schema: { $comment: "x".repeat(bytes - '{"$comment":""}'.length) } });
    expect(check(schema(limits.schemaBytesMax))).toHaveProperty("schema");
    expect(check(schema(limits.schemaBytesMax + 1))).toMatchObject({ text: expect.stringMatching(/at most 65536/) });
    const nested = (depth: number): unknown => ({
      schema: Array.from({ length: depth }).reduce((inner) => ({ not: inner }), {}),
    });
    expect(check(nested(63))).toHaveProperty("schema");
    expect(check(nested(64))).toMatchObject({ text: expect.stringMatching(/nested/) });
  });

  it("holds at most as many topics as the configuration says", () => {
    const topics = (count: number): unknown => ({
      topics: Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, {}])),
    });
    expect(checkPolicy(topics(3), { ...limits, declaredTopicsMax: 3 })).toHaveProperty("policy");
    expect(checkPolicy(topics(4), { ...limits, declaredTopicsMax: 3 })).toMatchObject({
      problems: [{ message: "4 topics; at most 3 are allowed" }],
    });
  });

  it("is not there when the document does not have it", () => {
    expect(checkPolicy({})).toEqual({ policy: { roles: {}, principals: {} } });
    expect(checkPolicy({ topics: {} })).toEqual({ policy: { roles: {}, principals: {}, topics: {} } });
    expect(checkPolicy({ topics: [] })).toHaveProperty("problems");
    expect(checkPolicy({ topics: null })).toHaveProperty("problems");
  });
});
