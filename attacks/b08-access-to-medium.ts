import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";

export const b08 = attack({
  id: "B8",
  title: "Storage: access to the medium",
  threat: "A careless umask opens the files of the broker to every account of the machine.",
  mitigation: "Modes are set by mess itself: 0700 and 0600, and 0400 for the key-encryption key.",
  ways: ["disk"],
  steps: [
    {
      name: "a start under umask 000",
      run: underOpenUmask,
      elsewhere: { mosquitto: hasNone("keeps nothing on disk by default: A11") },
    },
  ],
});

async function underOpenUmask(outer: Arena): Promise<void> {
  const before = process.umask(0);
  const arena = await outer.own().finally(() => process.umask(before));
  const owner = await arena.principal();
  const client = await arena.connect(owner, arena.lasting());
  await client.subscribe({ filter: owner.topic("x"), qos: 1 });
  await client.publish({ topic: owner.topic("x"), payload: "kept", qos: 1, retain: true });
  const { dataDir } = arena.broker;
  // mosquitto and nats-server are given their directory by the arena, so only what they make themselves counts
  const made = (readdirSync(dataDir, { recursive: true }) as string[]).map((name) => join(dataDir, name));
  const all = arena.isMess ? [dataDir, `${dataDir}.kek`, ...made] : made;
  const loose = all.filter((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found !== undefined && !found.isSymbolicLink() && (found.mode & 0o077) !== 0;
  });
  hold(loose.length === 0, `open to others: ${loose.slice(0, 4).join(" ")}`);
}
