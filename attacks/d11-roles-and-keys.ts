import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultLimits } from "../packages/broker/src/config/limits.ts";
import { routesOf } from "../packages/broker/src/input/doors/http/routes.ts";
import { builtInRoles } from "../packages/broker/src/security/built-in-roles.ts";
import { messAt } from "../test/support/cli.ts";
import { unique } from "../test/support/names.ts";
import { journalText } from "../test/support/read-journal.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { copyOfData, scratch, segmentsOf } from "./support/files.ts";
import { nothingComes } from "./support/moves.ts";
import { allStartsRefused } from "./support/refused-starts.ts";

export const d11 = attack({
  id: "D11",
  title: "Roles and encryption at rest",
  threat:
    "One role grants itself the rest, or removes its traces; a disk is read with another key, or written with a new one.",
  mitigation:
    "Built-in roles that separate granting from auditing; nobody hands out what they do not hold; data keys wrapped by a key-encryption key, without which nothing starts and nothing is made anew.",
  ways: ["https", "disk", "process"],
  steps: [
    {
      name: "a role that grants and audits, or erases the audit trail",
      run: separation,
      elsewhere: lacks("has no roles: everybody may everything"),
    },
    {
      name: "somebody who makes keys makes one with more rights",
      run: escalation,
      elsewhere: lacks("has no roles: everybody may everything"),
    },
    {
      name: "a start with another key-encryption key, or without",
      run: wrongKek,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not encrypt by default"),
      },
    },
    {
      name: "the key-encryption key from before a rotation, with data from after it",
      run: keyFromBefore,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not encrypt by default"),
      },
    },
    {
      name: "erased messages, with every key and the disk in hand",
      run: erased,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not encrypt by default"),
      },
    },
  ],
});

async function separation(): Promise<void> {
  for (const { name, allow } of builtInRoles) {
    if (name === "admin") continue;
    const actions = allow.map(({ action }) => String(action));
    const grants = actions.some(
      (action) => action === "admin.policy" || action === "admin.keys" || action === "admin.*",
    );
    const audits = actions.some((action) => action === "admin.audit" || action === "admin.*");
    hold(!(grants && audits), `${name} both grants rights and reads the audit trail`);
  }
  const erasing = routesOf(defaultLimits).filter(({ method, path }) => /audit/.test(path) && method !== "GET");
  hold(erasing.length === 0, `a route changes the audit trail: ${erasing.map(({ path }) => path).join(", ")}`);
}

async function escalation(arena: Arena): Promise<void> {
  const weak = await arena.principalWith({ allow: [{ admin: "keys" }, { publish: "a/#" }] });
  for (const roles of [["admin"], ["security-admin"], ["everything"], ["auditor"], ["operator"]]) {
    const made = await arena.ask(weak, "/v1/keys", { method: "POST", body: { name: unique("p"), roles } });
    hold(made.status === 403, `a key with ${roles.join()} is made by somebody who does not hold it: ${made.status}`);
  }
  for (const name of ["admin", (await arena.principal("everything")).name]) {
    const made = await arena.ask(weak, "/v1/keys", { method: "POST", body: { name, roles: [] } });
    hold(made.status === 403, `a key for ${name} is made by somebody with fewer rights: ${made.status}`);
  }
}

async function wrongKek(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "kept", qos: 1, retain: true });
  await arena.broker.stop();
  const other = await outer.own();
  const tricks: readonly (readonly [string, (kek: string) => void])[] = [
    ["no key", (kek) => rmSync(kek, { force: true })],
    ["the key of another", (kek) => replace(kek, () => copyFileSync(`${other.broker.dataDir}.kek`, kek))],
    ["random bytes", (kek) => replace(kek, () => writeFileSync(kek, randomBytes(32), { mode: 0o400 }))],
    ["an empty key", (kek) => replace(kek, () => writeFileSync(kek, "", { mode: 0o400 }))],
  ];
  const contents = (dataDir: string): string[] =>
    segmentsOf(dataDir).map((path) => createHash("sha256").update(readFileSync(path)).digest("hex"));
  const before = contents(arena.broker.dataDir);
  const starts = tricks.map(([what, trick]) => {
    const copy = copyOfData(arena.broker.dataDir);
    trick(`${copy}.kek`);
    return { what, dataDir: copy, codes: [65, 78] };
  });
  await allStartsRefused(starts);
  for (const { what, dataDir } of starts) {
    hold(JSON.stringify(contents(dataDir)) === JSON.stringify(before), `${what}: the data was touched`);
  }
}

function replace(path: string, make: () => void): void {
  rmSync(path, { force: true });
  make();
}

async function keyFromBefore(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const { dataDir } = arena.broker;
  const before = join(scratch(), "kek");
  copyFileSync(`${dataDir}.kek`, before);
  for (const path of ["/v1/storage/rotate-kek", "/v1/storage/rotate-data-key"]) {
    const { status, text } = await arena.admin(path, { method: "POST" });
    if (status !== 200) throw new Error(`${path} is answered ${status} ${text}`);
  }
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "kept", qos: 1, retain: true });
  await arena.broker.stop();
  const copy = copyOfData(dataDir);
  replace(`${copy}.kek`, () => copyFileSync(before, `${copy}.kek`));
  await allStartsRefused([{ what: "the key from before", dataDir: copy, codes: [65, 78] }]);
  await arena.broker.start();
  const reader = await arena.connect(owner);
  await reader.subscribe(owner.topic("x"));
  hold((await reader.message()).payload.toString() === "kept", "a rotation lost what was acknowledged");
}

async function erased(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const owner = await arena.principal("everything");
  const filter = owner.topic("#");
  const path = `/v1/topics/${encodeURIComponent(filter)}`;
  const declared = await arena.ask(owner, path, { method: "PUT", body: { erasure: "topic", retention: "1h" } });
  if (declared.status !== 201) throw new Error(`not declared: ${declared.status} ${declared.text}`);
  const word = unique("MARKER");
  const client = await arena.connect(owner);
  for (const retain of [true, false]) await client.publish({ topic: owner.topic("x"), payload: word, qos: 1, retain });
  await client.publish({ topic: "other", payload: `${word}-other`, qos: 1, retain: true });
  const { code, stderr } = await messAt(arena.server, ["erase", "topic", filter, "--yes"]);
  if (code !== 0) throw new Error(`not erased: ${stderr}`);
  const reader = await arena.connect(owner);
  await reader.subscribe(filter);
  await nothingComes(reader, "an erased message is delivered");
  await arena.broker.stop();
  const text = await journalText(arena.broker.dataDir);
  if (!text.includes(`${word}-other`)) throw new Error("what was not erased cannot be read either");
  hold(!text.replaceAll(`${word}-other`, "").includes(word), "an erased message is read from the disk");
}
