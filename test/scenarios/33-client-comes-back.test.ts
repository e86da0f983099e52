// The SDK comes back by itself: subscriptions go on, and what was not confirmed is sent again in order, once (complaint 19).
import { expect, it } from "vitest";
import { connect } from "../../packages/client/src/index.ts";
import { useServer } from "../support/suite.ts";

const shared = useServer({ killed: true });

it("loses, doubles and reorders nothing while the broker is killed three times", async () => {
  const url = `mqtt://localhost:${shared.server.mqtt.port}`;
  const reconnect = { min: 50, max: 200 };
  await using publisher = await connect(url, { reconnect });
  await using subscriber = await connect(url, { reconnect });
  const topic = { codec: "text" } as const;
  const reader = subscriber.topic("numbers", topic).subscribe();
  await reader.ready;
  const count = 300;
  const numbers = publisher.topic("numbers", topic);
  const receipts: Promise<unknown>[] = [];
  const publishing = (async () => {
    for (let n = 0; n < count; n++) {
      receipts.push(numbers.publish(String(n)));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await Promise.all(receipts);
  })();
  const killing = (async () => {
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      await shared.server.kill();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await shared.server.start();
    }
  })();
  const got: string[] = [];
  for await (const { value, redelivered } of reader) {
    // A reader whose acknowledgement was lost may get a message again, and is told so.
    if (!redelivered || !got.includes(value)) got.push(value);
    if (got.length === count) break;
  }
  await Promise.all([publishing, killing]);
  expect(got).toEqual(Array.from({ length: count }, (_, n) => String(n)));
}, 60_000);
