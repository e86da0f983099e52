import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { filesBelow, readable, scratch } from "./support/files.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

export const a09 = attack({
  id: "A9",
  title: "Message storage: messages read from the disk",
  threat:
    "Somebody with another account of the machine, a copy of the disk, or the list of processes reads messages or secrets.",
  mitigation:
    "Directory 0700, files 0600 whatever the umask; loose modes and links are refused; the journal is encrypted by default and its key is elsewhere; no secret in arguments or metrics.",
  ways: ["disk", "process"],
  steps: [
    {
      name: "words of messages in the files",
      run: wordsInFiles,
      elsewhere: { mosquitto: hasNone("keeps nothing on disk by default: A11") },
    },
    {
      name: "files that another user may open",
      run: openedByOthers,
      elsewhere: { mosquitto: hasNone("keeps nothing on disk by default: A11") },
    },
    {
      name: "a start on a directory that is open to others, or a link",
      run: looseDirectory,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("starts on a directory of any mode"),
      },
    },
    {
      name: "secrets in arguments, environment and metrics",
      run: secretsInSight,
      elsewhere: hasNone("has no secrets by default"),
    },
  ],
});

async function wordsInFiles(arena: Arena): Promise<void> {
  const word = unique("MARKER-payload-");
  const level = unique("MARKER-level-");
  const id = unique("MARKERid");
  const owner = await arena.principal();
  const session = { ...arena.lasting(), clientId: id };
  const reader = await arena.connect(owner, session);
  await reader.subscribe({ filter: owner.topic(`${level}/+`), qos: 1 });
  await reader.drop();
  const sender = await arena.connect(owner);
  for (const retain of [false, true]) {
    const properties = sender.version === 5 ? { userProperty: [[word, word]] as [string, string][] } : {};
    await sender.publish({ topic: owner.topic(`${level}/x`), payload: word, qos: 1, retain, properties });
  }
  const found = readable(arena.broker.dataDir, [word, level, id]);
  hold(found.length === 0, `readable: ${found.slice(0, 5).join(", ")}`);
}

/** Mode bits first; where the tests run as root, another user really tries. */
async function openedByOthers(arena: Arena): Promise<void> {
  const { dataDir } = arena.broker;
  const files = filesBelow(dataDir);
  const isOpen = (lstatSync(dataDir).mode & 0o005) !== 0;
  const loose = files.filter((path) => (lstatSync(path).mode & 0o077) !== 0);
  if (arena.isMess) hold(!isOpen && loose.length === 0, `open to others: ${[dataDir, ...loose].join(" ")}`);
  if (process.getuid?.() !== 0) {
    hold(!isOpen || loose.length === 0, `open to others: ${loose.slice(0, 5).join(" ")}`);
    return;
  }
  for (const path of arena.isMess ? [...files, `${dataDir}.kek`] : files) {
    const { status } = spawnSync("cat", [path], { uid: 65_534, gid: 65_534, stdio: "ignore" });
    hold(status !== 0, `user nobody reads ${path}`);
  }
}

async function looseDirectory(): Promise<void> {
  const loose = [0o755, 0o770, 0o701].map((mode) => {
    const dataDir = join(scratch(), "data");
    mkdirSync(dataDir);
    chmodSync(dataDir, mode);
    return { what: `a directory of mode ${mode.toString(8)}`, dataDir, codes: [78] };
  });
  const real = join(scratch(), "real");
  mkdirSync(real, { mode: 0o700 });
  const link = join(scratch(), "link");
  symlinkSync(real, link);
  await allStartsRefused([...loose, { what: "a link", dataDir: link, codes: [78] }]);
}

async function secretsInSight(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const { pid, admin } = arena.server;
  await arena.connect(owner);
  const shown = [
    readFileSync(`/proc/${pid}/cmdline`, "latin1"),
    readFileSync(`/proc/${pid}/environ`, "latin1"),
    (await arena.admin("/metrics")).text,
    (await arena.admin("/v1/keys")).text,
    (await arena.admin("/v1/policy")).text,
    arena.server.stdout,
    arena.server.stderr,
  ];
  for (const secret of [admin.secret, owner.secret]) {
    hold(!shown.some((text) => text.includes(secret)), "a secret is in sight");
  }
}
