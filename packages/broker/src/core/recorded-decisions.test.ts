import { expect, test } from "vitest";
import { RecordedDecisions } from "./recorded-decisions.ts";

const asked = (topic: string, principal = "p") => ({ principal, action: "publish" as const, topic, isFilter: false });

test("keeps the newest different questions, and no more than it may", () => {
  const decisions = new RecordedDecisions(3);
  for (const topic of ["a", "b", "a", "c", "a", "d"]) decisions.note(asked(topic));
  expect([...decisions.all()].map(({ topic }) => topic)).toEqual(["c", "a", "d"]);
  decisions.note(asked("a", "q"));
  expect([...decisions.all()].map(({ topic, principal }) => `${principal} ${topic}`)).toEqual(["p a", "p d", "q a"]);
  expect(decisions.size).toBe(3);
});
