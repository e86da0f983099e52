import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { readable } from "./support/files.ts";
import { atEachDoor } from "./support/moves.ts";

/** What brokers have come with. */
const defaults: readonly (readonly [string, string])[] = [
  ["admin", "admin"],
  ["guest", "guest"],
  ["admin", "public"],
  ["admin", "password"],
  ["root", "root"],
  ["mess", "mess"],
  ["admin", ""],
];

const publicPaths = ["/livez", "/readyz", "/healthz", "/openapi.json", "/docs"];
const closedPaths = [
  "/metrics",
  "/readyz?verbose",
  "/v1/policy",
  "/v1/keys",
  "/v1/whoami",
  "/v1/topics",
  "/v1/subscriptions",
  "/v1/backup",
  "/v1/messages?filter=%23",
  "/v1/events?filter=%23",
  "/v1/delayed",
  "/v1/nothing-of-the-kind",
];

export const c01 = attack({
  id: "C1",
  title: "No authentication by default",
  threat: "A broker that was only started lets everybody in, or those who know what it comes with.",
  mitigation:
    "The first start makes one key, shown once and stored as a hash; there is no default password and nobody is anonymous.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("no credential, and the passwords that brokers come with", async (arena, door) => {
      for (const version of [4, arena.broker.version] as const) {
        const anonymous = await arena.attempt({ credentials: {} }, { version, clientId: unique("c") }, door);
        hold(anonymous.connack?.code !== 0, "somebody without a credential is let in");
        anonymous.client.stream.destroy();
        for (const [username, password] of defaults) {
          const { client, connack } = await arena.attempt({ credentials: { username, password } }, { version }, door);
          hold(connack?.code !== 0, `${username}/${password} is let in`);
          client.stream.destroy();
        }
      }
    }),
    { name: "the same over HTTP", run: overHttp, elsewhere: hasNone("has no HTTP API by default") },
    { name: "the first key, found on the disk in another place", run: firstKey, elsewhere: hasNone("has no keys") },
  ],
});

async function overHttp(arena: Arena): Promise<void> {
  const seen = await arena.observe();
  for (const path of publicPaths) {
    const { status, text } = await arena.ask(undefined, path);
    if (status !== 200) throw new Error(`${path} is answered ${status}`);
    hold(/^(ok\n?)$/.test(text) || path.startsWith("/openapi") || path.startsWith("/docs"), `${path} tells ${text}`);
  }
  for (const path of closedPaths) {
    const status = await arena.statusOf(undefined, path);
    hold(status === 401 || status === 403, `${path} without a key is answered ${status}`);
  }
  for (const [user, password] of defaults) {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    for (const value of [authorization, `Bearer ${user}.${password}`]) {
      const { status } = await arena.ask(undefined, "/v1/whoami", { headers: { authorization: value } });
      hold(status === 401, `${user}/${password} over HTTP is answered ${status}`);
    }
  }
  const counted = await seen.counted("mess_auth_failures_total");
  hold(counted >= defaults.length, `${counted} failures are counted`);
}

async function firstKey(arena: Arena): Promise<void> {
  const { admin, dataDir, stdout, stderr } = arena.server;
  const found = readable(dataDir, [admin.secret]);
  hold(
    found.every((each) => each.startsWith("admin.key:")),
    `the secret is in ${found.join(", ")}`,
  );
  hold(!(stdout + stderr).includes(admin.secret), "the secret is in the log");
}
