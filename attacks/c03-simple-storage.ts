import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../test/support/tools.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { copyOfData, scratch, segmentsOf } from "./support/files.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

const makePipe = tool("mkfifo") ?? "";
const keepsNothing = { mosquitto: hasNone("keeps nothing on disk by default: A11") };

export const c03 = attack({
  id: "C3",
  title: "Simple message storage",
  threat: "Two processes write one directory, or a file of it is something else than it seems.",
  mitigation:
    "A lock that ends with its process; links, second names, pipes and foreign files in the place of a segment refuse the start.",
  ways: ["disk", "process"],
  steps: [
    { name: "a second process on the same directory", run: secondProcess, elsewhere: keepsNothing },
    {
      name: "links and pipes in the place of files",
      run: disguised,
      elsewhere: { ...keepsNothing, nats: hasNone("not tried") },
    },
  ],
});

async function secondProcess(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  client.autoAck = true;
  await client.subscribe({ filter: owner.topic("x"), qos: 1 });
  const code = await arena.broker.second();
  hold(code !== "running", "a second process serves the same directory");
  if (arena.isMess) hold(code === 75, `the second process ends with ${code}`);
  await client.publish({ topic: owner.topic("x"), payload: "still here", qos: 1 });
  hold((await client.message()).payload.toString() === "still here", "the first process was harmed");
}

async function disguised(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "kept", qos: 1, retain: true });
  await arena.broker.stop();
  const tricks: readonly (readonly [string, (path: string) => void])[] = [
    ["a symbolic link", (path) => moved(path, (elsewhere) => symlinkSync(elsewhere, path))],
    ["a second name", (path) => linkSync(path, join(scratch(), "second"))],
    ["a pipe", (path) => replaced(path, () => spawnSync(makePipe, ["-m", "600", path]))],
    ["a directory", (path) => replaced(path, () => spawnSync("mkdir", ["-m", "700", path]))],
  ];
  const starts = tricks.flatMap(([what, trick]) =>
    ["segment", "keyring"].map((kind) => {
      const copy = copyOfData(arena.broker.dataDir);
      trick(kind === "segment" ? (segmentsOf(copy).at(-1) ?? "") : join(copy, "keyring"));
      return { what: `${what} as ${kind}`, dataDir: copy, codes: [65, 78] };
    }),
  );
  await allStartsRefused(starts);
}

function moved(path: string, link: (elsewhere: string) => void): void {
  const elsewhere = join(scratch(), "moved");
  copyFileSync(path, elsewhere);
  rmSync(path);
  link(elsewhere);
}

function replaced(path: string, make: () => unknown): void {
  renameSync(path, join(scratch(), "away"));
  make();
}
