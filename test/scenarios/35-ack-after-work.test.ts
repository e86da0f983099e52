// A message is acknowledged when its handler is done, and not before; and no handler holds up the keep alive (complaint 21).
import { expect, it } from "vitest";
import { connect } from "../../packages/client/src/index.ts";
import { withPolicy } from "../support/declared.ts";
import { sleep, useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.slow]
filters = ["slow/#"]
[subscriptions.unfinished]
filters = ["unfinished/#"]
`);
const shared = useServer({ args });
const url = (): string => `mqtt://localhost:${shared.server.mqtt.port}`;

it("keeps its connection while handlers take longer than the keep alive allows silence", async () => {
  await using mess = await connect(url(), { keepAlive: "1s" });
  const states: string[] = [];
  mess.on("state", ({ name }) => states.push(name));
  const topic = mess.topic("slow/a", { codec: "text" });
  for (const value of ["1", "2"]) await topic.publish(value);
  const stop = new AbortController();
  const attempts: [string, number][] = [];
  await mess.queue<string>("slow", { codec: "text" }).process(
    async ({ value, attempt }) => {
      attempts.push([value, attempt]);
      await sleep(2_500);
      if (value === "2") stop.abort();
    },
    { signal: stop.signal },
  );
  expect(attempts).toEqual([
    ["1", 1],
    ["2", 1],
  ]);
  expect(states).toEqual([]);
}, 30_000);

it("has acknowledged nothing when it dies in the middle", async () => {
  await using publisher = await connect(url());
  await publisher.topic("unfinished/a", { codec: "text" }).publish("half done");
  const first = await connect(url());
  await new Promise<void>((begun) => {
    const work = (): Promise<void> => {
      begun();
      return sleep(60_000);
    };
    void first
      .queue<string>("unfinished", { codec: "text" })
      .process(work)
      .catch(() => undefined);
  });
  await first.close({ timeout: 0 });
  await using second = await connect(url());
  for await (const message of second.queue<string>("unfinished", { codec: "text" })) {
    expect([message.value, message.attempt]).toEqual(["half done", 1]);
    await message.ack();
    break;
  }
}, 30_000);
