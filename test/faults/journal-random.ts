import type { DiskOperation } from "../../packages/broker/src/host/simulated-faults.ts";
import { isInputOutput, JournalHarness, MachineStopped, type OpenJournal } from "./journal-harness.ts";

const errors: readonly DiskOperation[] = ["write", "datasync", "create", "syncDirectory", "rename", "remove"];

/** One long random life of a journal: appends, reads, drops, faults, and stops at any step, recovery included. */
export async function randomJournalLife(seed: number, open: OpenJournal, steps: number = 120): Promise<JournalHarness> {
  const harness = new JournalHarness({ seed, open });
  await reopen(harness, true);
  for (let step = 0; step < steps; step++) {
    try {
      await act(harness);
    } catch (error) {
      if (!(error instanceof MachineStopped)) throw error;
    }
    if (harness.sim.incarnation !== lifeOf(harness)) {
      harness.journal = undefined;
    }
    if (harness.failed && harness.random.chance(0.5)) harness.stop(harness.random.pick(["crash", "kill"]));
    if (harness.journal === undefined) await reopen(harness, harness.random.chance(0.5));
  }
  harness.sim.disk.clearFaults();
  harness.stop("crash");
  await reopen(harness, true);
  harness.append();
  harness.commit();
  if (!(await harness.settled())) throw new Error("a healthy journal did not commit");
  harness.checkHost();
  return harness;
}

const lives = new WeakMap<JournalHarness, number>();
const lifeOf = (harness: JournalHarness): number => lives.get(harness) ?? 0;

async function act(harness: JournalHarness): Promise<void> {
  const { random, sim } = harness;
  const roll = random.below(100);
  if (roll < 45) {
    for (let n = random.pick([1, 1, 3, 20]); n > 0; n--) harness.append();
    if (random.chance(0.2)) harness.journal?.commitWithin(random.between(1, 20));
    else harness.commit();
  } else if (roll < 60) await sim.run(random.pick([0.1, 1, 5]));
  else if (roll < 65) await harness.settled();
  else if (roll < 70) await harness.prove();
  else if (roll < 78) {
    if (harness.acknowledged > 0) await harness.read(random.between(1, harness.acknowledged));
  } else if (roll < 82) harness.takeSnapshot();
  else if (roll < 84) harness.dropOldest();
  else if (roll < 86) harness.dropMiddle();
  else if (roll < 91) harness.stop(random.pick(["crash", "kill"]));
  else if (roll < 93) await harness.close();
  else if (roll < 97) {
    const how = random.pick(["crash", "kill"] as const);
    const when = random.pick(["before", "after"] as const);
    sim.disk.plant({ operation: "change", nth: random.between(1, 12), effect: { kind: "stop", how, when } });
  } else {
    const persisted = random.pick(["none", "part", "all"] as const);
    const effect = { kind: "error", code: random.pick(["EIO", "ENOSPC"]), persisted } as const;
    sim.disk.plant({ operation: random.pick(errors), nth: random.between(1, 6), effect });
  }
}

/** Starts again until it works: an attempt may meet a planted fault; on a healthy disk it has to succeed. */
async function reopen(harness: JournalHarness, healthy: boolean): Promise<void> {
  const { sim, random } = harness;
  for (let attempt = 0; ; attempt++) {
    if (healthy || attempt > 3) sim.disk.clearFaults();
    else if (random.chance(0.5)) {
      const how = random.pick(["crash", "kill"] as const);
      const when = random.pick(["before", "after"] as const);
      sim.disk.plant({ operation: "change", nth: random.between(1, 10), effect: { kind: "stop", how, when } });
    }
    lives.set(harness, sim.incarnation);
    try {
      await harness.open();
      return;
    } catch (error) {
      if (error instanceof MachineStopped) continue;
      if (healthy || attempt > 3 || !isInputOutput(error)) throw error;
      sim.kill({ evict: random.chance(0.5) });
    }
  }
}
