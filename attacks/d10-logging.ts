import { randomBytes } from "node:crypto";
import { sleep, unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { readable } from "./support/files.ts";
import { eventsOf } from "./support/observe.ts";

export const d10 = attack({
  id: "D10",
  title: "Logging and monitoring",
  threat: "A log that tells secrets, that anybody can fill or forge, or that misses what an administrator did.",
  mitigation:
    "Audit records in the journal, durable before the act is answered; refusals that clients provoke are sampled and counted; no secret is ever logged.",
  ways: ["tcp-tls", "websocket-tls", "https", "disk"],
  steps: [
    {
      name: "secrets in the log",
      run: secretsInLog,
      elsewhere: lacks("prints user names and topics of clients in plain text"),
    },
    { name: "a flood of refusals fills the log and the disk", run: flood, elsewhere: lacks("has no audit trail") },
    { name: "an administrative act that leaves no trace", run: traces, elsewhere: lacks("has no audit trail") },
  ],
});

async function secretsInLog(arena: Arena): Promise<void> {
  const count = arena.full ? 10_000 : 80;
  const secrets: string[] = [];
  const seen = await arena.observe();
  for (let index = 0; index < count; index += 1) {
    const secret = randomBytes(24).toString("base64url");
    secrets.push(secret);
    const door = arena.doors[index % 2];
    if (index % 4 === 3) {
      await arena.ask(undefined, `/v1/whoami?key=${secret}`, { headers: { authorization: `Bearer k_x.${secret}` } });
      continue;
    }
    const { client } = await arena.attempt({ credentials: { username: `k_${index}`, password: secret } }, {}, door);
    client.stream.destroy();
  }
  const owner = await arena.principal();
  secrets.push(owner.secret, arena.server.admin.secret);
  const told = seen.text() + arena.server.stdout;
  hold(!secrets.some((secret) => told.includes(secret)), "a secret is in the log");
  const leaked = readable(arena.broker.dataDir, secrets).filter((each) => !each.startsWith("admin.key:"));
  hold(leaked.length === 0, `a secret is on the disk: ${leaked[0]}`);
}

async function flood(arena: Arena): Promise<void> {
  const count = arena.full ? 100_000 : 600;
  const who = await arena.principal("publisher");
  const seen = await arena.observe();
  const client = await arena.connect(who);
  for (let index = 0; index < count; index += 50) {
    const topic = unique("denied");
    await Promise.all(Array.from({ length: 50 }, () => client.publish({ topic, payload: "x", qos: 1 })));
  }
  const events = seen.events("acl.deny").length;
  hold(events < count, `each of ${count} refusals is a line of the log`);
  const counted = await seen.counted('mess_acl_denied_total{action="publish"}');
  hold(counted === count, `${counted} of ${count} refusals are counted`);
  for (const line of seen.text().split("\n").slice(0, -1))
    hold(line.startsWith("{"), `a line that is no event: ${line}`);
}

async function traces(arena: Arena): Promise<void> {
  const seen = await arena.observe();
  const began = new Date().toISOString();
  const owner = await arena.principal();
  await arena.setRights(unique("p"), { allow: [] });
  await arena.admin(`/v1/keys/${owner.id}`, { method: "DELETE" });
  const stranger = await arena.principal("viewer");
  await arena.ask(stranger, "/v1/policy", { method: "PUT", body: {} });
  await arena.ask(stranger, "/v1/backup");
  for (const method of ["DELETE", "PUT", "POST"]) {
    const { status } = await arena.admin("/v1/audit", { method });
    hold(status === 405, `${method} /v1/audit is answered ${status}`);
  }
  hold((await arena.ask(stranger, "/v1/audit")).status === 403, "the audit trail is read without the right");
  await sleep(300);
  traced(new Set(eventsOf(seen.text()).map(({ event }) => event)), "the log");
  const auditor = await arena.principal("auditor");
  const { text } = await arena.ask(auditor, `/v1/audit?limit=1000&since=${encodeURIComponent(began)}`);
  const { records } = JSON.parse(text) as { records: { event: string }[] };
  traced(new Set(records.map(({ event }) => event)), "the audit trail");
}

function traced(names: ReadonlySet<string>, where: string): void {
  const wanted = ["key.created", "key.revoked", "policy.applied"];
  const missing = wanted.filter((name) => !names.has(name));
  hold(missing.length === 0, `${where} has no ${missing.join(", ")}; there is ${[...names].join(", ")}`);
  hold(
    names.has("acl.deny") || names.has("admin.refused"),
    `${where} has nothing of what was refused; there is ${[...names].join(", ")}`,
  );
}
