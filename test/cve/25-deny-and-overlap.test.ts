// LESSONS 25, NATS 2026-17 and 2026-18. Elsewhere a subscription wider than a deny, or one in a queue group, got what
// the deny was for. Here, for random grants, denies and filters, what comes is what is allowed and not denied.
import { expect } from "vitest";
import { randomOf } from "../../attacks/support/random.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

/** The standard's own words as code, and no more: section 4.7. */
function matches(filter: string, topic: string): boolean {
  const levels = topic.split("/");
  for (const [index, level] of filter.split("/").entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return filter.split("/").length === levels.length;
}

atEachDoor(field, "what is delivered is allowed and not denied", async (arena, door) => {
  const random = randomOf(25);
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const root = unique("t");
  const topics = ["a", "b"].flatMap((x) => [`${root}/${x}`, `${root}/${x}/a`, `${root}/${x}/b`, `${root}/${x}/a/b`]);
  const tails = ["a", "b", "+", "#", "a/#", "+/a", "a/+", "b/#", "+/+", "a/a/b", "+/a/#"];
  const filter = (): string => `${root}/${one(tails)}`;
  const sender = await arena.connect(await arena.principal("everything"));
  let delivered = 0;
  for (let run = 0; run < 8; run += 1) {
    const allow = [filter(), filter()];
    const deny = [filter()];
    const who = await arena.principalWith({
      allow: allow.map((each) => ({ subscribe: each, share: each })),
      deny: deny.map((each) => ({ subscribe: each })),
    });
    const reader = await arena.connect(who, {}, door);
    const asked = [`${root}/#`, filter(), filter(), `$share/g${run}/${filter()}`, ...allow];
    await reader.subscribe(
      asked.map((each) => ({ filter: each, qos: 0 })),
      { refusable: true },
    );
    for (const topic of topics) await sender.publish({ topic, payload: "x", qos: 1 });
    await reader.ping();
    for (const message of reader.waiting("PUBLISH")) {
      delivered += 1;
      const { topic } = message;
      const told = `${topic} with ${allow.join()} without ${deny.join()}, asked for ${asked.join()}`;
      expect(
        allow.some((each) => matches(each, topic)),
        told,
      ).toBe(true);
      expect(
        deny.some((each) => matches(each, topic)),
        told,
      ).toBe(false);
    }
    reader.stream.destroy();
  }
  expect(delivered).toBeGreaterThan(5);
});
