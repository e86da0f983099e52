import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { scratch } from "./support/files.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

const noPolicy = hasNone("has no policy by default: A6, A15");

const broken: readonly (readonly [string, string])[] = [
  ["not TOML", "[roles.x\nallow = ["],
  ["an unknown key", "[roles.x]\nalow = []\n"],
  ["an unknown action", '[roles.x]\nallow = [{ publsih = "a" }]\n'],
  ["a filter that is none", '[roles.x]\nallow = [{ publish = "a#" }]\n'],
  ["a role that is not there", '[principals.p]\nroles = ["ghost"]\n'],
  ["a built-in role redefined", '[roles.admin]\nallow = [{ publish = "a" }]\n'],
  ["bytes that are not UTF-8", "\u0000[roles.x]\nallow = []\n"],
];

export const d03 = attack({
  id: "D3",
  title: "Topic-based authorization",
  threat: "A policy that is empty, broken or half read allows what nobody meant.",
  mitigation:
    "Nothing is allowed that no grant allows; a policy is applied as a whole or not at all; what is broken stops a start and changes nothing in a running server.",
  ways: ["process", "https"],
  steps: [
    { name: "a start with a broken policy file", run: brokenStart, elsewhere: noPolicy },
    { name: "a reload of a broken or unreadable policy file", run: brokenReload, elsewhere: noPolicy },
    { name: "an order of rules that lets a deny be overtaken", run: order, elsewhere: noPolicy },
  ],
});

async function brokenStart(): Promise<void> {
  const files: readonly (readonly [string, string])[] = [...broken.slice(0, 4), ["a file that is not there", ""]];
  await allStartsRefused(
    files.map(([what, text]) => {
      const directory = scratch();
      const path = join(directory, "policy.toml");
      if (text !== "") writeFileSync(path, text);
      return { what, dataDir: join(directory, "data"), args: ["--policy-file", path], codes: [78] };
    }),
  );
}

async function brokenReload(outer: Arena): Promise<void> {
  const path = join(scratch(), "policy.toml");
  writeFileSync(path, "");
  const arena = await outer.own({ args: ["--policy-file", path] });
  const owner = await arena.principal();
  const live = await arena.connect(owner);
  for (const [what, text] of broken) {
    writeFileSync(path, text);
    const seen = await arena.observe();
    arena.server.signal("SIGHUP");
    for (let waited = 0; waited < 60 && seen.events("reload.failed").length === 0; waited += 1) await sleep(50);
    hold(seen.events("reload.failed").length > 0, `${what}: a broken policy file is reloaded without a word`);
    const stranger = await arena.connect(await arena.principal());
    const refused = await stranger.publish({ topic: owner.topic("x"), payload: "x", qos: 1 });
    hold(refused?.code === 0x87, `${what}: after the reload a stranger may publish`);
    const allowed = await live.publish({ topic: owner.topic("x"), payload: "x", qos: 1 });
    hold((allowed?.code ?? 0x87) < 0x80, `${what}: after the reload the owner may not publish`);
  }
}

async function order(arena: Arena): Promise<void> {
  const grants = [{ publish: "#" }, { publish: "a/#" }, { publish: "a/b" }];
  const deny = [{ publish: "a/b" }];
  for (const allow of [grants, grants.toReversed()]) {
    const who = await arena.principalWith({ allow, deny });
    const client = await arena.connect(who);
    hold((await client.publish({ topic: "a/b", payload: "x", qos: 1 }))?.code === 0x87, "an allow overtakes a deny");
    hold(
      ((await client.publish({ topic: "a/c", payload: "x", qos: 1 }))?.code ?? 0x87) < 0x80,
      "a deny reaches too far",
    );
  }
}
