/** Every load of `npm run overload`, small: refused, bounded, alive, nothing lost. Times are judged only there. */
import { describe, expect, it } from "vitest";
import { rows } from "./rows.ts";
import { runRow } from "./run-row.ts";

describe("overload, small", () => {
  it.each(rows)(
    "$id $title: $expected",
    async (row) => {
      const { checks } = await runRow(row, "smoke");
      expect(checks.filter(({ holds }) => !holds)).toEqual([]);
    },
    60_000,
  );
});
