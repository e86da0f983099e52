import { describe, expect, it } from "vitest";
import { defaultDeclarationLimits } from "../model/setting-bounds.ts";
import { defaultSubscriptionSettings, type SubscriptionSettings } from "../model/settings.ts";
import { checkPolicy } from "./policy-check.ts";

const limits = defaultDeclarationLimits;

interface Refused {
  readonly path: string;
  readonly text: string;
}

function check(settings: unknown, name = "billing"): Refused | SubscriptionSettings | undefined {
  const checked = checkPolicy({ subscriptions: { [name]: settings } });
  if ("policy" in checked) return checked.policy.subscriptions?.[name];
  const [first, ...more] = checked.problems;
  if (first === undefined || more.length > 0) throw new Error(JSON.stringify(checked.problems));
  return { path: first.path, text: `${first.message}; ${first.hint ?? ""}` };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `f${index}`);
const properties = (count: number): Record<string, string> =>
  Object.fromEntries(numbered(count).map((name) => [name, ""]));

describe("the section `subscriptions`", () => {
  it.each<[string, Record<string, unknown>, Partial<SubscriptionSettings>]>([
    ["nothing but filters", {}, {}],
    ["an owner", { owner: "shop" }, { owner: "shop" }],
    ["as many filters as allowed", { filters: numbered(64) }, { filters: numbered(64) }],
    ["an ordering", { ordering: "exclusive" }, { ordering: "exclusive" }],
    ["the shortest ack wait", { ackWait: "100ms" }, { ackWaitMs: 100 }],
    ["the longest ack wait", { ackWait: "12h" }, { ackWaitMs: 12 * 3_600_000 }],
    ["milliseconds", { ackWait: 1_500 }, { ackWaitMs: 1_500 }],
    ["one delivery", { maxDeliveries: 1 }, { maxDeliveries: 1 }],
    ["the most deliveries", { maxDeliveries: 1_000 }, { maxDeliveries: 1_000 }],
    ["the shortest backoff", { backoff: [1, 1] }, { backoffMs: [1, 1] }],
    ["the longest backoff", { backoff: ["1s", "365d"] }, { backoffMs: [1_000, 365 * 86_400_000] }],
    ["dead-lettering of what expires", { expired: "dead-letter" }, { expired: "dead-letter" }],
    ["priorities", { priorities: true }, { priorities: true }],
    ["the first message", { start: "earliest" }, { start: "earliest" }],
    ["an offset", { start: 1 }, { start: { offset: 1 } }],
    ["the largest offset", { start: 2 ** 53 - 1 }, { start: { offset: 2 ** 53 - 1 } }],
    ["a time", { start: "1970-01-01T00:00:00.250Z" }, { start: { at: 250 } }],
    ["properties", { where: { region: "eu", constructor: "" } }, { where: { region: "eu", constructor: "" } }],
    ["as many properties as allowed", { where: properties(16) }, { where: properties(16) }],
    ["the longest property", { where: { x: "y".repeat(4_096) } }, { where: { x: "y".repeat(4_096) } }],
    ["one message", { maxMessages: 1 }, { maxMessages: 1 }],
    ["the most messages", { maxMessages: 1e10 }, { maxMessages: 1e10 }],
    ["one byte", { maxBytes: 1 }, { maxBytes: 1 }],
    ["the most bytes", { maxBytes: "1024TiB" }, { maxBytes: 2 ** 50 }],
    ["an overflow", { overflow: "drop-oldest" }, { overflow: "drop-oldest" }],
    ["no expiry", { expiry: "never" }, { expiryMs: 0 }],
    ["no expiry as a number", { expiry: 0 }, { expiryMs: 0 }],
    ["the shortest expiry", { expiry: "1s" }, { expiryMs: 1_000 }],
    ["the longest expiry", { expiry: "36500d" }, { expiryMs: 36_500 * 86_400_000 }],
  ])("takes %s", (_what, settings, expected) => {
    expect(check({ filters: ["a/#"], ...settings })).toEqual({
      ...defaultSubscriptionSettings,
      filters: ["a/#"],
      ...expected,
    });
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ["no filter", { filters: [] }, "filters", /one or more/],
    ["filters that are missing", { filters: undefined }, "filters", /one or more/],
    ["filters that are text", { filters: "a" }, "filters", /array/],
    ["a filter that is no text", { filters: [1] }, "filters[0]", /in quotes/],
    ["a filter of the broker", { filters: ["a", "$SYS/#"] }, "filters[1]", /broker's/],
    ["a filter that is none", { filters: ["a/#/b"] }, "filters[0]", /stands alone/],
    ["a filter twice", { filters: ["a", "b", "a"] }, "filters[2]", /twice/],
    ["a filter too many", { filters: numbered(65) }, "filters", /at most 64/],
    ["a shared filter", { filters: ["$share/g/a"] }, "filters[0]", /broker's/],
    ["an unknown key", { ackwait: "1s" }, "ackwait", /did you mean `ackWait`/],
    ["a key of the API's inside", { ackWaitMs: 1 }, "ackWaitMs", /did you mean `ackWait`/],
    ["an owner that is no name", { owner: "" }, "owner", /at least one/],
    ["an unknown ordering", { ordering: "fifo" }, "ordering", /"shared", "exclusive", "key"/],
    ["an ordering of another type", { ordering: 1 }, "ordering", /is one of/],
    ["an ack wait that is too short", { ackWait: "99ms" }, "ackWait", /100 ms to 12 h/],
    ["an ack wait that is too long", { ackWait: 12 * 3_600_000 + 1 }, "ackWait", /out of range/],
    ["an ack wait without a unit", { ackWait: "30" }, "ackWait", /a duration such as/],
    ["a negative time", { ackWait: "-1s" }, "ackWait", /a duration such as/],
    ["no delivery", { maxDeliveries: 0 }, "maxDeliveries", /1 to 1000/],
    ["a delivery too many", { maxDeliveries: 1_001 }, "maxDeliveries", /out of range/],
    ["half a delivery", { maxDeliveries: 1.5 }, "maxDeliveries", /whole number/],
    ["deliveries as text", { maxDeliveries: "5" }, "maxDeliveries", /whole number/],
    ["one backoff", { backoff: ["1s"] }, "backoff", /two durations/],
    ["three backoffs", { backoff: ["1s", "2s", "3s"] }, "backoff", /two durations/],
    ["a backoff that is a duration", { backoff: "1s" }, "backoff", /two durations/],
    ["no wait", { backoff: [0, 1] }, "backoff[0]", /out of range/],
    ["a hole", { backoff: [undefined, 1] }, "backoff[0]", /a duration/],
    ["a wait that is too long", { backoff: ["1s", 365 * 86_400_000 + 1] }, "backoff[1]", /out of range/],
    ["a backoff upside down", { backoff: ["5m", "1s"] }, "backoff", /begins with the first/],
    ["an unknown fate", { expired: "keep" }, "expired", /"drop", "dead-letter"/],
    ["priorities as text", { priorities: "true" }, "priorities", /true or false/],
    ["offset zero", { start: 0 }, "start", /an offset from 1 on/],
    ["an offset that is no whole number", { start: 1.5 }, "start", /offset/],
    ["an offset as text", { start: "17" }, "start", /offset/],
    ["a day that does not exist", { start: "2030-02-30T00:00:00Z" }, "start", /a time in quotes/],
    ["a time before 1970", { start: "1969-12-31T23:59:59Z" }, "start", /a time in quotes/],
    ["properties as a list", { where: ["a=b"] }, "where", /table of user properties/],
    ["a property too many", { where: properties(17) }, "where", /at most 16/],
    ["a property that is no text", { where: { a: 1 } }, "where.a", /in quotes/],
    ["a property without a name", { where: { "": "a" } }, 'where.""', /has a name/],
    ["a property of the broker", { where: { "mess-key": "a" } }, "where.mess-key", /do not travel/],
    ["a property that is too long", { where: { x: "y".repeat(4_097) } }, "where.x", /at most 4096/],
    ["a property that no client can send", { where: { x: "\ud800" } }, "where.x", /well-formed/],
    ["no message", { maxMessages: 0 }, "maxMessages", /out of range/],
    ["a message too many", { maxMessages: 1e10 + 1 }, "maxMessages", /out of range/],
    ["no byte", { maxBytes: 0 }, "maxBytes", /out of range/],
    ["a byte too many", { maxBytes: 2 ** 50 + 1 }, "maxBytes", /out of range/],
    ["a huge number", { maxBytes: 1e300 }, "maxBytes", /a size such as/],
    ["an unknown overflow", { overflow: "drop" }, "overflow", /drop-oldest/],
    ["an expiry that is too short", { expiry: "999ms" }, "expiry", /1 s to 36500 d/],
    ["an expiry that is too long", { expiry: "36501d" }, "expiry", /out of range/],
  ])("refuses %s", (_what, settings, path, text) => {
    const found = check({ filters: ["a/#"], ...settings }) as Refused;
    expect(found.path).toBe(`subscriptions.billing.${path}`);
    expect(found.text).toMatch(text);
  });

  it.each(["", "a/b", "a+", "#", "{x}", "$x", " a", "a\n", "__proto__", "x".repeat(129)])(
    "refuses the name %j",
    (name) => {
      const value: unknown = JSON.parse(`{"subscriptions": {${JSON.stringify(name)}: {"filters": ["a"]}}}`);
      expect(checkPolicy(value)).toMatchObject({ problems: [{ path: expect.stringMatching(/^subscriptions\./) }] });
    },
  );

  it.each(["constructor", "Zoë", "a b", "a.b", "x".repeat(128)])("takes the name %j", (name) => {
    expect(check({ filters: ["a"] }, name)).toHaveProperty("filters");
  });

  it("holds at most as many subscriptions as the configuration says", () => {
    const value = (count: number): unknown => ({
      subscriptions: Object.fromEntries(numbered(count).map((name) => [name, { filters: ["a"] }])),
    });
    const most = { ...limits, declaredSubscriptionsMax: 3 };
    expect(checkPolicy(value(3), most)).toHaveProperty("policy");
    expect(checkPolicy(value(4), most)).toMatchObject({
      problems: [{ message: "4 subscriptions; at most 3 are allowed" }],
    });
  });

  it("has bounds that the configuration moves", () => {
    const value = { subscriptions: { s: { filters: ["a"], ackWait: "2m" } } };
    expect(checkPolicy(value, { ...limits, leaseMsMax: 120_000 })).toHaveProperty("policy");
    expect(checkPolicy(value, { ...limits, leaseMsMax: 119_999 })).toHaveProperty("problems");
  });
});
