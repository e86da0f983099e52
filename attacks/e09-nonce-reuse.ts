import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone } from "./support/attack.ts";
import { scratch } from "./support/files.ts";
import { NonceBook } from "./support/nonces.ts";

export const e09 = attack({
  id: "E9",
  title: "Nonce reuse after a crash",
  threat:
    "Two futures of one image of the disk, a crash and a copy or a snapshot that is started again, write two texts with one key and nonce.",
  mitigation:
    "An open never goes on in a segment that was there: it begins a new one with a new salt, and with it a new key.",
  ways: ["disk", "process"],
  steps: [
    {
      name: "a crash in the middle of writing, a copy, and both go on",
      run: twoFutures,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: hasNone("does not encrypt by default: B9"),
      },
    },
  ],
});

async function twoFutures(outer: Arena): Promise<void> {
  const book = new NonceBook();
  const trunk = await outer.own();
  const count = outer.full ? 50 : 2;
  for (let round = 0; round < count; round += 1) {
    await write(trunk, `trunk ${round}`);
    // under way when the process dies: nothing waits for an answer
    const client = await trunk.connect(await trunk.principal("everything"));
    for (let sent = 0; sent < 20; sent += 1)
      client.publish({ topic: "a", payload: "cut", qos: 1 }).catch(() => undefined);
    await trunk.broker.kill();
    const dataDir = copyOf(trunk.broker.dataDir);
    const branch = await outer.own({ dataDir });
    await write(branch, `branch ${round}`);
    book.note(dataDir);
    await branch.broker.stop();
    book.note(dataDir);
    await trunk.broker.start();
    await write(trunk, `trunk again ${round}`);
    book.note(trunk.broker.dataDir);
  }
  if (book.size < count * 6) throw new Error(`only ${book.size} frames were found`);
}

/** With the spare segments too: a copy of the disk has them. */
function copyOf(dataDir: string): string {
  const to = join(scratch(), "data");
  cpSync(dataDir, to, { recursive: true, filter: (path) => !path.endsWith(".sock") });
  cpSync(`${dataDir}.kek`, `${to}.kek`);
  return to;
}

async function write(arena: Arena, text: string): Promise<void> {
  const client = await arena.connect(await arena.principal("everything"));
  for (let sent = 0; sent < 4; sent += 1)
    await client.publish({ topic: "a", payload: `${text} ${sent}`, qos: 1, retain: true });
}
