import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { copyOfData } from "./support/files.ts";
import { eventsOf } from "./support/observe.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

export const d04 = attack({
  id: "D4",
  title: "File system permissions",
  threat:
    "Rights of the file system are too wide, or the process has rights that it does not need, and nobody is told.",
  mitigation:
    "Files that others could read or write refuse the start; running as root is told; a start names what to mend.",
  ways: ["disk", "process"],
  steps: [
    {
      name: "each file of the directory opened to others",
      run: openedFiles,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not look at the modes of its files"),
      },
    },
    { name: "running as root without a word", run: asRoot, elsewhere: { mosquitto: hasNone("becomes another user") } },
  ],
});

async function openedFiles(outer: Arena): Promise<void> {
  const arena = await outer.own();
  await arena.broker.stop();
  const { dataDir } = arena.broker;
  const names = readdirSync(dataDir).filter((name) => /^(segment|keyring|admin\.key|server\.key)/.test(name));
  if (names.length < 4) throw new Error(`only ${names.join(" ")} are there`);
  const kek = ".kek";
  const starts = [...names, kek].map((name) => {
    const copy = copyOfData(dataDir);
    chmodSync(name === kek ? `${copy}${kek}` : join(copy, name), 0o644);
    return { what: `${name} of mode 0644`, dataDir: copy, codes: [65, 78], says: name };
  });
  await allStartsRefused(starts);
}

async function asRoot(arena: Arena): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { output } = arena.broker;
  const isTold = arena.isMess
    ? eventsOf(output).some(({ event }) => event === "process.root")
    : output.includes("root");
  hold(isTold, "it runs as root and says nothing");
}
