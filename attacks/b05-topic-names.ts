import { hostileLevels, referenceMatches } from "../packages/broker/src/model/reference-matcher.test-data.ts";
import { SubscriptionIndex } from "../packages/broker/src/subscriptions/subscription-index.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { pick } from "./support/mutate.ts";
import { randomOf } from "./support/random.ts";

export const b05 = attack({
  id: "B5",
  title: "Topics: validation of names",
  threat: "A filter matches a topic that it should not, and a message goes to whom it is not for.",
  mitigation: "The index that finds receivers equals the standard's rule, said in ten lines, on every pair tried.",
  ways: ["tcp-tls"],
  steps: [
    {
      name: "filters and names made to confuse, against the rule of the standard",
      run: pairs,
      elsewhere: hasNone("its matcher cannot be called from here"),
    },
  ],
});

async function pairs(arena: Arena): Promise<void> {
  const random = randomOf(5);
  const wanted = arena.full ? 1_000_000 : 40_000;
  const filtersAtOnce = 40;
  const levels = (wildcards: boolean): string => {
    const length = 1 + Math.floor(random() * 4);
    const all = Array.from({ length }, () => (wildcards && random() < 0.3 ? "+" : pick(hostileLevels, random)));
    if (wildcards && random() < 0.4) all.push("#");
    return all.join("/");
  };
  let matched = 0;
  for (let done = 0; done < wanted; ) {
    const index = new SubscriptionIndex<string, string>(done);
    const filters = [...new Set(Array.from({ length: filtersAtOnce }, () => levels(true)))].filter(
      (text) => text !== "",
    );
    for (const filter of filters) index.set(filter, filter, filter);
    for (let count = 0; count < 25; count += 1) {
      const topic = levels(false);
      if (topic === "") continue;
      const found: string[] = [];
      index.collect(topic, found);
      const right = filters.filter((filter) => referenceMatches(filter, topic));
      const isSame = JSON.stringify(found.sort()) === JSON.stringify(right.sort());
      hold(isSame, `${topic} goes to ${found.join(" ")}, and should to ${right.join(" ")}`);
      matched += right.length;
      done += filters.length;
    }
  }
  if (matched === 0) throw new Error("nothing matches: the names are wrong");
}
