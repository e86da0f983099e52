/** Every method of authentication at every door with a bad credential, for producers and for consumers. */
import { unique } from "../../test/support/names.ts";
import type { Arena, Principal } from "./arena.ts";
import { hasNone, hold, type Step } from "./attack.ts";
import { atEachDoor, nothingComes } from "./moves.ts";

export type Aim = "publish" | "consume";

/** What is presented, and why it is wrong. */
interface Bad {
  readonly what: string;
  readonly credentials: Principal["credentials"];
}

async function badKeys(arena: Arena): Promise<readonly Bad[]> {
  const owner = await arena.principal();
  const other = await arena.principal();
  const revoked = await arena.principal();
  if (arena.isMess) await arena.admin(`/v1/keys/${revoked.id}`, { method: "DELETE" });
  const { username = owner.name, password = "secret" } = owner.credentials;
  const last = password.at(-1) === "A" ? "B" : "A";
  return [
    { what: "nothing", credentials: {} },
    { what: "an unknown key", credentials: { username: "k_unknown", password } },
    { what: "the secret of another", credentials: { username, password: other.credentials.password ?? "x" } },
    {
      what: "a secret that differs in its last character",
      credentials: { username, password: password.slice(0, -1) + last },
    },
    { what: "a secret cut short", credentials: { username, password: password.slice(0, -1) } },
    { what: "a secret with a tail", credentials: { username, password: `${password}x` } },
    { what: "no secret", credentials: { username } },
    { what: "an empty secret", credentials: { username, password: "" } },
    { what: "the id as the secret", credentials: { username, password: username } },
    { what: "a revoked key", credentials: revoked.credentials.username === undefined ? {} : revoked.credentials },
  ];
}

export function badCredentials(aim: Aim): readonly Step[] {
  return [
    atEachDoor("API keys over MQTT", async (arena, door) => {
      const owner = await arena.principal();
      const watched = owner.topic(unique("x"));
      const friend = await arena.connect(owner, {}, door);
      friend.autoAck = true;
      await friend.subscribe({ filter: watched, qos: 1 });
      for (const { what, credentials } of await badKeys(arena)) {
        for (const version of [4, arena.broker.version] as const) {
          const { client, connack } = await arena.attempt({ credentials }, { version }, door);
          if (connack?.code !== 0) {
            client.stream.destroy();
            continue;
          }
          if (aim === "publish") {
            await client.publish({ topic: watched, payload: what, qos: 1 }).catch(() => undefined);
            await nothingComes(friend, `${what}: published`);
          } else {
            await client.subscribe({ filter: watched, qos: 1 }).catch(() => undefined);
            await friend.publish({ topic: watched, payload: what, qos: 1 });
            await nothingComes(client, `${what}: consumed`);
          }
          hold(!arena.isMess, `${what} is let in`);
        }
      }
    }),
    {
      name: "API keys over HTTP",
      run: (arena) => overHttp(arena, aim),
      elsewhere: hasNone("has no HTTP API by default"),
    },
  ];
}

async function overHttp(arena: Arena, aim: Aim): Promise<void> {
  const owner = await arena.principal();
  const topic = encodeURIComponent(owner.topic("x"));
  const paths = {
    publish: [`/v1/messages?topic=${topic}`, `/v1/topics/${topic}/messages`, "/v1/batch"],
    consume: [`/v1/subscriptions/${owner.name}/pull`],
  };
  const streams = [
    `/v1/events?filter=${topic}`,
    `/v1/messages?filter=${topic}`,
    `/v1/subscriptions/${owner.name}/events`,
  ];
  const told = new Set<string>();
  for (const { what, credentials } of await badKeys(arena)) {
    const { username = "", password = "" } = credentials;
    const headers: Readonly<Record<string, string>>[] =
      username === ""
        ? [{}]
        : [
            { authorization: `Bearer ${username}.${password}` },
            { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` },
          ];
    for (const sent of headers) {
      for (const path of paths[aim]) {
        const { status, text } = await arena.ask(undefined, path, { method: "POST", body: "x", headers: sent });
        hold(status === 401, `${what}: POST ${path} is answered ${status}`);
        told.add(text);
      }
      if (aim === "publish") continue;
      for (const path of streams) {
        const { status, text } = await arena.ask(undefined, path, { headers: sent });
        hold(status === 401, `${what}: GET ${path} is answered ${status}`);
        told.add(text);
      }
    }
    const inUrl = await arena.ask(undefined, `/v1/whoami?key=${username}.${password}&access_token=${password}`);
    hold(inUrl.status === 401 || inUrl.status === 400, `a credential in the URL is answered ${inUrl.status}`);
  }
  hold(told.size <= 2, `the answers tell what was wrong: ${[...told].join(" | ")}`);
}
