// The books of the kill loop must show what is planted, or they prove nothing.
import { describe, expect, it } from "vitest";
import { judge, type Received, type Sent } from "./torture.ts";

const publishers: Sent[] = [
  { name: "p0", qos: 1, sent: 5, acknowledged: new Set([0, 1, 2, 3]) },
  { name: "p1", qos: 2, sent: 4, acknowledged: new Set([0, 1, 2, 3]) },
];
const good = ["p0 0", "p1 0", "p0 1", "p1 1", "p1 2", "p0 2", "p0 3", "p1 3"];
const history = (texts: readonly string[], qos = 2): Received => ({
  name: "s",
  log: texts.map((text) => ({ text, qos: text.startsWith("p0") ? 1 : qos })),
});
const sizes = (texts: readonly string[], qos = 2): Record<string, number> => {
  const verdict = judge(publishers, [history(texts, qos)]);
  return Object.fromEntries(Object.entries(verdict).map(([name, list]) => [name, list.length]));
};
const none = { lost: 0, duplicates: 0, disordered: 0, unexpected: 0 };

describe("the judge of the kill loop", () => {
  it("finds nothing in a good history, nor in one with what may happen", () => {
    expect(sizes(good)).toEqual(none);
    expect(sizes([...good, "p0 4"])).toEqual(none);
    expect(sizes(["p0 0", "p0 0", ...good])).toEqual(none);
    expect(sizes([...good, "p0 2", "p0 3"])).toEqual(none);
  });

  it("finds a lost message", () => expect(sizes(good.filter((text) => text !== "p0 2"))).toEqual({ ...none, lost: 1 }));
  it("finds the last one lost", () => expect(sizes(good.slice(0, -1))).toEqual({ ...none, lost: 1 }));
  it("finds everything lost", () => expect(sizes([])).toEqual({ ...none, lost: 8 }));
  it("finds a QoS 2 message that came twice", () =>
    expect(sizes([...good, "p1 2"])).toEqual({ ...none, duplicates: 1 }));
  it("allows it where the delivery was QoS 1", () => expect(sizes([...good, "p1 2"], 1)).toEqual(none));
  it("finds two that changed places", () => {
    expect(sizes(["p0 1", "p0 0", ...good.filter((text) => !["p0 0", "p0 1"].includes(text))])).toEqual({
      ...none,
      disordered: 1,
    });
  });
  it("finds what nobody sent", () => {
    expect(sizes([...good, "p0 5"])).toEqual({ ...none, unexpected: 1 });
    expect(sizes([...good, "p9 0"])).toEqual({ ...none, unexpected: 1 });
    expect(sizes([...good, "p0 x"])).toEqual({ ...none, unexpected: 1 });
  });
});
