import fc from "fast-check";
import { test } from "vitest";
import { QueuePlayer, queueHistory } from "./queue-model-player.test-data.ts";

// `npm run histories` plays 10,000 of them.
test("random histories of a subscription agree with the model", () => {
  fc.assert(
    fc.property(queueHistory, (history) => {
      const player = new QueuePlayer(history);
      player.play(history.steps);
      player.finish();
    }),
    { numRuns: Number(process.env["MESS_HISTORIES"] ?? 300) },
  );
}, 600_000);
