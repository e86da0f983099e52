import { expect, it } from "vitest";
import { randomJournalLife } from "./journal-random.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

it.each(Array.from({ length: 24 }, (_, i) => i + 1))("random life of a journal, seed %i", async (seed) => {
  await randomJournalLife(seed, openJournalUnderTest, 80);
});

it("gives one history for one seed", async () => {
  const first = await randomJournalLife(5, openJournalUnderTest, 40);
  const second = await randomJournalLife(5, openJournalUnderTest, 40);
  expect(second.sim.history.hash()).toBe(first.sim.history.hash());
});
