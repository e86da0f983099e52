/** What a publish costs beside many subscriptions that it has nothing to do with: run with `npx vitest bench`. */
import { bench, describe } from "vitest";
import { declare } from "./fake-consumer.test-data.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { World } from "./world.test-data.ts";

interface Prepared {
  readonly world: World;
  readonly publisher: FakeClient;
}

function prepare(unrelated: number): Prepared {
  const world = new World({ limits: { declaredSubscriptionsMax: 1_000_000 } });
  declare(world, "mine", { filters: ["mine/#"] });
  for (let i = 0; i < unrelated; i++) declare(world, `s${i}`, { filters: [`t/${i}/#`, `+/${i}/u`] });
  return { world, publisher: world.connected("p") };
}

for (const unrelated of [0, 1_000, 100_000]) {
  describe(`${unrelated} unrelated subscriptions`, () => {
    const { world, publisher } = prepare(unrelated);
    let topics = 0;
    let published = 0;
    const commitSometimes = (): void => {
      published++;
      if (published % 1_000 === 0) world.commit();
    };

    bench("a topic that is known", () => {
      publisher.publish("mine/a", "x");
      commitSometimes();
    });
    bench("a new topic each time", () => {
      publisher.publish(`mine/${topics++}/b`, "x");
      commitSometimes();
    });
  });
}
