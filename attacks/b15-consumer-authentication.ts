import { sleep } from "../test/support/names.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { badCredentials } from "./support/bad-credentials.ts";
import { cutOff } from "./support/moves.ts";

export const b15 = attack({
  id: "B15",
  title: "Consumer: authentication",
  threat: "A consumer without a good credential gets a message: over MQTT, as a stream, from a queue.",
  mitigation: "Every method ends in one authenticator; wrong, unknown and revoked look alike and take the same path.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    ...badCredentials("consume"),
    {
      name: "tokens that have ended, are narrower, or make others",
      run: tokens,
      elsewhere: lacks("asks for no credential by default"),
    },
  ],
});

async function tokenOf(arena: Arena, owner: Principal, body: object): Promise<Principal> {
  const made = await arena.ask(owner, "/v1/tokens", { method: "POST", body });
  if (made.status !== 201) throw new Error(`no token: ${made.status} ${made.text}`);
  const { id, secret, principal } = JSON.parse(made.text) as { id: string; secret: string; principal: string };
  return { ...owner, name: principal, id, secret, credentials: { username: id, password: secret } };
}

async function tokens(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const narrow = await tokenOf(arena, owner, { allow: [{ subscribe: owner.topic("open/#") }], expiresIn: "1m" });
  const wide = await tokenOf(arena, owner, { allow: [{ subscribe: "#" }], expiresIn: "1m" });
  const admin = await arena.ask(owner, "/v1/tokens", { method: "POST", body: { allow: [{ admin: "*" }] } });
  hold(admin.status >= 400, `a token for all of the administration is made: ${admin.status}`);
  for (const door of arena.doors) {
    const reader = await arena.connect(narrow, {}, door);
    const filters = ["#", owner.topic("#"), owner.topic("open/#"), `$share/g/${owner.topic("open/#")}`];
    const { codes } = await reader.subscribe(filters, { refusable: true });
    hold(codes.join() === "135,135,0,135", `a token for one tree: ${codes.join()}`);
    const wider = await arena.connect(wide, {}, door);
    const granted = await wider.subscribe(["#", "secret/#"], { refusable: true });
    hold(
      granted.codes.every((code) => code >= 0x80),
      "a scope that is wider than its owner widens it",
    );
    const answer = await reader.publish({ topic: owner.topic("open/x"), payload: "x", qos: 1 }).catch(() => undefined);
    hold((answer?.code ?? 0x87) >= 0x80, "a token to read publishes");
  }
  for (const [path, body] of [
    ["/v1/tokens", {}],
    ["/v1/keys", { name: owner.name, roles: [] }],
  ] as const) {
    for (const token of [narrow, wide]) {
      const { status } = await arena.ask(token, path, { method: "POST", body });
      hold(status === 403, `a token makes another credential: POST ${path} is answered ${status}`);
    }
  }
  await ended(arena, owner);
}

async function ended(arena: Arena, owner: Principal): Promise<void> {
  const brief = await tokenOf(arena, owner, { expiresIn: "1s" });
  const links = await Promise.all(arena.doors.map((door) => arena.connect(brief, {}, door)));
  for (const client of links)
    await cutOff(arena, client, { within: 4_000, otherwise: "a token goes on behind its end" });
  await sleep(50);
  for (const door of arena.doors) {
    const { connack } = await arena.attempt(brief, {}, door);
    hold(connack?.code !== 0, "a token that has ended is let in");
  }
  hold((await arena.ask(brief, "/v1/whoami")).status === 401, "a token that has ended is taken over HTTP");
}
