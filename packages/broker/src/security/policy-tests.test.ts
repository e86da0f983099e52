import { expect, test } from "vitest";
import { checkPolicy } from "./policy-check.ts";

const policy = {
  roles: {
    device: {
      allow: [{ publish: "plant/{principal}/#" }, { subscribe: "plant/#" }],
      deny: [{ publish: "plant/+/secret" }, { subscribe: "plant/secret/#" }],
    },
  },
  principals: { dev7: { roles: ["device"] }, guard: { roles: ["auditor"] } },
};

function problems(tests: unknown): string[] {
  const checked = checkPolicy({ ...policy, tests });
  return "problems" in checked ? checked.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

test("tests that hold let the policy pass, and are not part of it", () => {
  const tests = [
    {
      principal: "dev7",
      may: [{ publish: ["plant/dev7/temp", "plant/dev7/a/b"] }, { subscribe: "plant/+/temp" }],
      mayNot: [{ publish: "plant/dev8/temp" }, { publish: "plant/dev7/secret", subscribe: "plant/secret/#" }],
    },
    { principal: "guard", may: [{ admin: "audit" }], mayNot: [{ admin: "policy" }, { admin: "*" }] },
    { principal: "nobody", mayNot: [{ subscribe: "#" }] },
  ];
  expect(problems(tests)).toEqual([]);
  const checked = checkPolicy({ ...policy, tests });
  expect("policy" in checked && Object.keys(checked.policy)).toEqual(["roles", "principals"]);
});

test("a test that fails refuses the policy, names itself and the grant that decides", () => {
  expect(
    problems([
      { principal: "dev7", may: [{ publish: "plant/dev7/t" }, { publish: "plant/dev8/t" }] },
      { principal: "dev7", mayNot: [{ subscribe: "plant/a" }] },
      { principal: "guard", may: [{ admin: "policy" }] },
    ]),
  ).toEqual([
    'tests[0].may[1]: fails: "dev7" may not publish "plant/dev8/t": no grant allows it; nearest: role device allows publish on "plant/{principal}/#"',
    'tests[1].mayNot[0]: fails: "dev7" may subscribe "plant/a": role device allows subscribe on "plant/#"',
    'tests[2].may[0]: fails: "guard" may not admin.policy: no grant allows admin.policy (roles: auditor)',
  ]);
});

test.each([
  ["no list", { principal: "dev7" }, "tests: is an array of tables"],
  ["no principal", [{ may: [{ publish: "a" }] }], "tests[0].principal: is the name of a principal, in quotes"],
  ["an unknown key", [{ principal: "dev7", must: [{ publish: "a" }] }], "tests[0].must: is not a key of a policy"],
  ["no question", [{ principal: "dev7" }], "tests[0]: asks nothing"],
  [
    "an unknown action",
    [{ principal: "dev7", may: [{ write: "a" }] }],
    "tests[0].may[0].write: is not a key of a policy",
  ],
  [
    "too many",
    new Array(1_001).fill({ principal: "dev7", may: [{ subscribe: "plant/a" }] }),
    ": 1001 tests; at most 1000 are allowed",
  ],
])("a broken test is refused: %s", (_, tests, problem) => {
  expect(problems(tests)).toContain(problem);
});
