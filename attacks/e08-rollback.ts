import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mess } from "../test/support/cli.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { copyOfData, scratch } from "./support/files.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

export const e08 = attack({
  id: "E8",
  title: "Rollback of the whole data directory",
  threat:
    "Somebody puts back a whole older directory, which is in itself without a fault: what was acknowledged, revoked or audited since has not been.",
  mitigation:
    "Checkpoints of the journal's tree, signed, are kept outside of the directory too; a start that cannot continue from them is refused as rolled back.",
  ways: ["disk", "process"],
  steps: [
    {
      name: "a directory of before, with an untouched checkpoint outside",
      run: putBack,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("starts on any state that is consistent in itself"),
      },
    },
  ],
});

async function write(arena: Arena, text: string): Promise<void> {
  const client = await arena.connect(await arena.principal("everything"));
  for (let count = 0; count < 5; count += 1) await client.publish({ topic: "a", payload: text, qos: 1, retain: true });
}

async function putBack(outer: Arena): Promise<void> {
  const outside = join(scratch(), "checkpoint");
  const arena = await outer.own({ args: ["--checkpoint-file", outside] });
  await write(arena, "monday");
  await arena.broker.stop();
  if (!existsSync(outside)) throw new Error("no checkpoint was written outside");
  const monday = copyOfData(arena.broker.dataDir);
  const early = readFileSync(outside, "utf8");
  await arena.broker.start();
  await write(arena, "tuesday");
  // another life that forks from monday: as long as the real one, with another past
  const forked = copyOfData(monday);
  const other = await outer.own({ dataDir: forked });
  await write(other, "another tuesday");
  await write(other, "and wednesday");
  await other.broker.stop();
  await arena.broker.stop();
  const changed = join(scratch(), "checkpoint");
  writeFileSync(changed, readFileSync(outside, "utf8").replace(/\n\d+\n/, "\n1\n"));
  const start = (what: string, dataDir: string, file: string): Parameters<typeof allStartsRefused>[0][number] => {
    return { what, dataDir, args: ["--checkpoint-file", file], codes: [65, 78] };
  };
  await allStartsRefused([
    start("the directory of monday", monday, outside),
    start("a fork of monday", forked, outside),
    start("a checkpoint that somebody changed", copyOfData(arena.broker.dataDir), changed),
  ]);
  for (const dataDir of [monday, forked]) {
    const { code } = await mess(["verify", "--checkpoint", outside, dataDir]);
    hold(
      code === 65,
      `verify finds nothing wrong with ${dataDir === monday ? "the directory of monday" : "a fork"}: ${code}`,
    );
  }
  // what continues from an older checkpoint is no rollback
  const copy = join(scratch(), "early");
  writeFileSync(copy, early);
  const { code, stderr } = await mess(["verify", "--checkpoint", copy, arena.broker.dataDir]);
  if (code !== 0) throw new Error(`the real directory does not verify from monday on: ${stderr}`);
  rmSync(copy);
}
