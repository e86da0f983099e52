// A consumer survives a blocked event loop and a restart of the broker: it goes on, and nothing stalls silently (complaint 20).
import { expect, it } from "vitest";
import { connect, type MessError } from "../../packages/client/src/index.ts";
import { withPolicy } from "../support/declared.ts";
import { sleep, useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.work]
filters = ["work/#"]
ackWait = "2s"
backoff = ["100ms", "200ms"]
`);
const shared = useServer({ args, killed: true });

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

it("goes on after its own event loop stood still, longer than keep alive and lease", async () => {
  await using mess = await connect(`mqtt://localhost:${shared.server.mqtt.port}`, {
    keepAlive: "1s",
    reconnect: { min: 50 },
  });
  const topic = mess.topic("work/a", { codec: "text" });
  const stop = new AbortController();
  const done = new Map<string, number>();
  const working = mess.queue<string>("work", { codec: "text", concurrency: 2 }).process(
    ({ value }) => {
      done.set(value, (done.get(value) ?? 0) + 1);
      if (value === "busy" && done.get(value) === 1) block(3_500);
    },
    { signal: stop.signal },
  );
  await topic.publish("busy");
  for (let n = 0; n < 10; n++) await topic.publish(`after ${n}`);
  await expect.poll(() => done.size, { timeout: 15_000 }).toBe(11);

  await shared.server.kill();
  await shared.server.start();
  await topic.publish("after the restart");
  await expect.poll(() => done.get("after the restart") ?? 0, { timeout: 15_000 }).toBe(1);
  stop.abort();
  await working;
}, 60_000);

it("throws when its subscription is taken away, and does not just stop", async () => {
  await using mess = await connect(`mqtt://localhost:${shared.server.mqtt.port}`);
  const outcome = mess
    .queue("nowhere")
    .process(() => undefined)
    .then(
      () => "stopped",
      (error: unknown) => (error as MessError).name,
    );
  expect(await Promise.race([outcome, sleep(5_000)])).toBe("MessError");
});
