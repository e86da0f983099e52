import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor, nothingComes } from "./support/moves.ts";
import { eventsOf } from "./support/observe.ts";

/** Names that mean something to a shell, a path, a pattern, a log, a page or another protocol. */
const loaded = [
  "#",
  "+",
  ".*",
  "a|b",
  "(a+)+$",
  "../../../escaped",
  "<img src=x onerror=alert(1)>",
  "${jndi:ldap://127.0.0.1/x}",
  "%n%s%x",
  "'; drop table keys; --",
  "__proto__",
  'quote"and\\back',
];

/** Not UTF-8, or characters that MQTT does not allow. */
const illFormed: readonly (readonly [string, Buffer])[] = [
  ["U+0000", Buffer.from("a/\0b")],
  ["a lone surrogate", Buffer.from([0x61, 0x2f, 0xed, 0xa0, 0x80])],
  ["an overlong form", Buffer.from([0x61, 0x2f, 0xc0, 0x80])],
  ["a byte alone", Buffer.from([0x61, 0x2f, 0xff])],
];

const forged = '\r\n{"level":"info","event":"forged.line"}\r\nSUB > 1';

export const a03 = attack({
  id: "A3",
  title: "Input handler: injection",
  threat:
    "Text that a client chose is read as something else: a pattern, a path, a second line of the log, a command of another protocol, markup of a page.",
  mitigation:
    "One decoder that never throws, strict UTF-8, the grammar of topics checked once at the edge; names are never parts of patterns, paths, commands or markup; the log is JSON.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("client ids that mean something elsewhere", async (arena, door) => {
      const files = filesAround(arena);
      for (const clientId of loaded) {
        const { client } = await arena.attempt(await arena.principal(), { clientId }, door);
        client.stream.destroy();
      }
      hold(filesAround(arena) === files, `files appeared: ${filesAround(arena)}`);
    }),
    {
      name: "a client id of # or + gets what is meant for another",
      run: widenedByName,
      elsewhere: hasNone("everybody may read everything by default, whatever the client id: A6"),
    },
    atEachDoor("lines of a log, forged by CR and LF", async (arena, door) => {
      const seen = await arena.observe();
      const who = await arena.principal();
      const named = await arena.attempt(who, { clientId: `c${forged}` }, door);
      named.client.stream.destroy();
      const unknown = { credentials: { username: `u${forged}`, password: "x" } };
      const refused = await arena.attempt(unknown, {}, door);
      refused.client.stream.destroy();
      const client = await arena.connect(who, {}, door);
      if (!client.isClosed) client.send(build.publish({ version: client.version, topic: `t${forged}`, qos: 0 }));
      await arena.unharmed();
      hold(!/^.{0,40}"?event"?:"?forged\.line/m.test(seen.text()), `a client wrote a line of the log: ${seen.text()}`);
      if (arena.isMess) eventsOf(seen.text());
    }),
    atEachDoor("topics that are not UTF-8 reach others", async (arena, door) => {
      const watcher = await arena.connect(await arena.principal("everything"), {}, door);
      await watcher.subscribe("a/#");
      for (const [what, topic] of illFormed) {
        const client = await arena.connect(await arena.principal("everything"), {}, door);
        client.send(build.publish({ version: client.version, topic, payload: what }));
        await nothingComes(watcher, `a topic with ${what} is forwarded`, 150);
      }
    }),
    {
      name: "names from outside in JSON bodies reach the prototype of an object",
      run: pollution,
      elsewhere: hasNone("takes no JSON from clients"),
    },
  ],
});

/** Names in the data directory and above it, but for the journal's own, which come and go. */
function filesAround(arena: Arena): string {
  const { dataDir } = arena.broker;
  const all = [...readdirSync(dirname(dataDir)), ...readdirSync(dataDir)];
  return all.filter((name) => !/^(segment|spare)-|^HEAD/.test(name)).join(" ");
}

async function widenedByName(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  for (const clientId of ["#", "+", ".*"]) {
    const thief = await arena.principal();
    const { client, connack } = await arena.attempt(thief, { clientId });
    if (connack?.code !== 0) continue;
    client.send(build.subscribe({ version: client.version, filters: [owner.topic("#"), "+/private", "#"] }));
    await client.take("SUBACK").catch(() => undefined);
    const sender = await arena.connect(owner);
    await sender.publish({ topic: owner.topic("private"), payload: "secret", qos: 1 });
    await nothingComes(client, `client id ${clientId} reads everything`);
  }
}

async function pollution(arena: Arena): Promise<void> {
  const bodies = [
    // parsed, since a literal would set the prototype instead of a property of that name
    JSON.parse(`{"name":"${unique("p")}","roles":[],"__proto__":{"isAdmin":true}}`) as object,
    { name: "__proto__", roles: ["constructor"] },
    { name: unique("p"), roles: ["__proto__"] },
    { name: unique("p"), roles: ["toString"] },
  ];
  for (const body of bodies) {
    const { status, text } = await arena.admin("/v1/keys", { method: "POST", body });
    hold(status >= 400 && status < 500, `${JSON.stringify(body)} is taken: ${status} ${text}`);
  }
  const { text } = await arena.admin("/v1/whoami");
  hold(!text.includes("isAdmin"), "the prototype of all objects was changed");
}
