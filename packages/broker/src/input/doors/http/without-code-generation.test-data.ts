/** Run by `without-code-generation.test.ts` in a process that refuses `eval` and its like: makes a certificate, serves, logs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../../admin/log.ts";
import { managedCertificate } from "../../certificates.ts";
import { nodeTimers, temporaryDirectory, testBox } from "../../input.test-data.ts";
import { ServerTls } from "../../tls.ts";
import { adminKey, ask, openDoor } from "./http.test-data.ts";

const directory = temporaryDirectory();
const box = testBox();
const names = ["localhost", "127.0.0.1"];
const log = openLog({ level: "info", stream: process.stderr, form: "json" });
const tls = await ServerTls.open({
  load: () => managedCertificate({ directory: directory.path, box, names, now: Date.now() }),
  timers: nodeTimers,
  now: Date.now,
  report: (level, message) => log[level]("tls", { message }),
});
const door = await openDoor({ tls });
const ca = readFileSync(join(directory.path, "ca.pem"));
const statuses: number[] = [];
for (const [path, options] of [
  ["/livez", {}],
  ["/v1/keys", { method: "POST", key: adminKey, body: { name: "a", roles: ["b"] } }],
  ["/v1/keys", { method: "POST", key: adminKey, body: { name: "a", roles: [7] } }],
  ["/v1/policy", { method: "PUT", key: adminKey, body: { roles: {} } }],
  ["/metrics", { key: adminKey }],
] as const) {
  statuses.push((await ask(door, path, { ...options, ca })).status);
}
await door.listening.close();
tls.close();
directory.remove();
const refused = process.execArgv.includes("--disallow-code-generation-from-strings");
process.stdout.write(JSON.stringify({ statuses, refused, failures: door.failures.map(String) }));
