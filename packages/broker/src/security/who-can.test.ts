import fc from "fast-check";
import { expect, test } from "vitest";
import { authorize, authorizeFilter, compilePolicy } from "./authorize.ts";
import { whoCan } from "./who-can.ts";

const compiled = compilePolicy({
  roles: {
    writer: { allow: [{ action: "publish", filter: "a/#" }], deny: [] },
    own: { allow: [{ action: "publish", filter: "a/{principal}" }], deny: [] },
    muted: { allow: [], deny: [{ action: "publish", filter: "a/x" }] },
    reader: { allow: [{ action: "subscribe", filter: "a/+" }], deny: [] },
  },
  principals: {
    w: { roles: ["writer"] },
    x: { roles: ["own"] },
    m: { roles: ["writer", "muted"] },
    r: { roles: ["reader"] },
    none: { roles: [] },
  },
});

test("everybody who may, sorted, with the role that says so", () => {
  expect(whoCan(compiled, "publish", "a/x")).toEqual([
    { principal: "admin", because: 'role admin allows publish on "#"', role: "admin" },
    { principal: "w", because: 'role writer allows publish on "a/#"', role: "writer" },
    { principal: "x", because: 'role own allows publish on "a/{principal}"', role: "own" },
  ]);
  expect(whoCan(compiled, "subscribe", "a/+").map(({ principal }) => principal)).toEqual(["admin", "r"]);
  expect(whoCan(compiled, "admin.keys", "#").map(({ principal }) => principal)).toEqual(["admin"]);
});

test("the same as asking for each", () => {
  const topic = fc.constantFrom("a", "a/x", "a/y", "a/m", "b", "a/+", "a/#", "#", "a/x/y");
  fc.assert(
    fc.property(
      fc.constantFrom("publish" as const, "subscribe" as const, "consume" as const),
      topic,
      (action, name) => {
        const isFilter = action !== "publish" && /[+#]/u.test(name);
        const may = (principal: string): boolean =>
          isFilter
            ? authorizeFilter(compiled, principal, action, name) === "granted"
            : authorize(compiled, principal, action, name);
        const expected = ["admin", "m", "none", "r", "w", "x"].filter(may);
        expect(whoCan(compiled, action, name).map(({ principal }) => principal)).toEqual(expected);
      },
    ),
  );
});
