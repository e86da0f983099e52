import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { checks } from "../actions/doctor.ts";

const guide = readFileSync(new URL("../../../../docs/security-guide.md", import.meta.url), "utf8");

it("the security guide names each check once, and no other", () => {
  const named = [...guide.matchAll(/`\[(?<id>[a-z.-]+)\]`/gu)].map(({ groups }) => groups?.["id"]);
  expect(named.toSorted()).toEqual(checks.map(([id]) => id).toSorted());
});
