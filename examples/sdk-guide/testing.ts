// A test without sockets and without waiting: the real broker, in memory, and a clock that only the test moves.
import assert from "node:assert/strict";
import { memoryBroker } from "@mess/client/testing";

await using memory = await memoryBroker({
  policy: { subscriptions: { mail: { filters: ["mail/#"], backoff: ["1m", "1m"], start: "earliest" } } },
});
const { client: mess, clock } = memory;

const stop = new AbortController();
const attempts: number[] = [];
const working = mess.queue("mail").process(
  ({ attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("the mail server is away");
  },
  { signal: stop.signal },
);

await mess.topic("mail/{to}").publish({ to: "anna" }, "hello", { delay: "1h" });
await clock.advance("59m");
assert.deepEqual(attempts, []);
await clock.advance("61s");
assert.deepEqual(attempts, [1]);
await clock.advance("1m");
assert.deepEqual(attempts, [1, 2]);
stop.abort();
await working;
console.log("tested");
