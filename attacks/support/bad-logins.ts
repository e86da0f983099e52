/** JWTs and passwords that must be refused, at every door. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as build from "../../test/support/packets.ts";
import type { RawClient } from "../../test/support/raw-client.ts";
import {
  beginLogin,
  type LoginWish,
  logIn,
  proofFor,
  scram,
  scramPlus,
  setPassword,
} from "../../test/support/scram-login.ts";
import { badTokens, goodToken, issuerKeys, issuerToml, testIssuer } from "../../test/support/tokens.ts";
import type { Arena, Principal } from "./arena.ts";
import { hold } from "./attack.ts";
import type { Door } from "./broker.ts";
import { scratch } from "./files.ts";
import { cutOff, nothingComes } from "./moves.ts";
import { rawHttp } from "./raw-http.ts";

const password = "correct horse battery";
/** Of passwords: each takes one of the tries that an address has. */
const codes: readonly number[] = [0x86, 0x87, 0x8c];

/** What a refused one must not have reached: the watcher sees nothing, the refusal tells nothing. */
interface Target {
  readonly owner: Principal;
  readonly watcher: RawClient;
}

async function targetIn(arena: Arena): Promise<Target> {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe(owner.topic("#"));
  return { owner, watcher };
}

export async function badJwts(outer: Arena): Promise<void> {
  const directory = scratch();
  const issuer = testIssuer();
  const [config, jwks] = [join(directory, "mess.toml"), join(directory, "jwks.json")];
  writeFileSync(jwks, issuerKeys(issuer));
  writeFileSync(config, issuerToml(jwks));
  const arena = await outer.own({ args: ["--config", config] });
  const { owner, watcher } = await targetIn(arena);
  const [key] = issuer.keys;
  await arena.connect({ ...owner, credentials: { password: await goodToken(key, { sub: owner.name }) } });
  const told = new Set<number | undefined>();
  for (const [what, make] of badTokens(issuer, () => owner.name)) {
    const credentials = { username: "jwt", password: await make() };
    for (const door of arena.doors) {
      const will = { topic: owner.topic("will"), payload: what };
      const { client, connack } = await arena.attempt({ credentials }, { will }, door);
      hold(connack?.code !== 0, `${door.name}: ${what} is let in`);
      told.add(connack?.code);
      client.stream.destroy();
    }
    const { status } = await arena.ask(undefined, "/v1/whoami", { key: credentials.password });
    hold(status === 401, `HTTP: ${what} is answered ${status}`);
  }
  await tooLong(arena);
  hold(told.size === 1, `the codes tell what was wrong: ${[...told].join(" | ")}`);
  await nothingComes(watcher, "a refused token leaves a will");
}

/** A million bytes that look like a token, before anybody is known. */
async function tooLong(arena: Arena): Promise<void> {
  const huge = `${"A".repeat(500_000)}.${"A".repeat(500_000)}.A`;
  const seen = await arena.observe();
  for (const door of arena.doors) {
    const client = await arena.open(door);
    client.send(build.connect({ clientId: "huge", password: huge.slice(0, 60_000), username: huge.slice(0, 60_000) }));
    // over WebSocket the frame is never read to its end, and the deadline comes
    await cutOff(arena, client, { within: 9_000, otherwise: "a CONNECT with a huge credential is waited for" });
  }
  const { status } = await rawHttp(arena, `GET /v1/whoami HTTP/1.1\r\nAuthorization: Bearer ${huge}\r\n\r\n`);
  hold(status === 0 || status === 431 || status === 400, `a credential of a megabyte is answered ${status}`);
  hold(seen.memoryGrowth() < 32, `huge credentials cost ${Math.round(seen.memoryGrowth())} MB`);
}

export async function badPasswords(arena: Arena): Promise<void> {
  const { owner, watcher } = await targetIn(arena);
  await setPassword(arena.server, owner.name, password);
  const wishes: readonly (readonly [string, Partial<LoginWish>])[] = [
    ["a wrong password", { password: `${password}!` }],
    ["an unknown name", { username: "nobody" }],
    ["the name with a password of nobody", { password: "" }],
    ["another name inside", { username: `${owner.name},n=admin` }],
    ["the binding of another connection", { method: scramPlus, binding: Buffer.alloc(32, 1) }],
    ["no binding in a bound login", { method: scramPlus, binding: Buffer.alloc(0) }],
    ["a downgrade by somebody in between", { method: scram, header: "y,," }],
  ];
  for (const door of arena.doors) {
    for (const method of [scram, scramPlus]) {
      const { client } = await logIn(door.endpoint, { username: owner.name, password, method });
      if ((await client.next("CONNACK")).code !== 0) throw new Error(`${method}: the right password is refused`);
      client.stream.destroy();
    }
    for (const [what, wish] of wishes)
      await refusedLogin(door, what, { username: owner.name, password, ...wish }, owner);
  }
  await nothingComes(watcher, "a refused login leaves a will");
  await replayed(arena, owner);
}

async function refusedLogin(door: Door, what: string, wish: LoginWish, owner: Principal): Promise<void> {
  const connect = { will: { topic: owner.topic("will"), payload: what } };
  const outcome = await logIn(door.endpoint, { method: scram, ...wish, connect }).then(
    ({ client }) => client.closed(),
    // refused at the first message already
    () => undefined,
  );
  const connack = outcome?.packets.find(({ name }) => name === "CONNACK");
  hold(connack?.code !== 0, `${door.name}: ${what} is let in`);
  hold(connack === undefined || codes.includes(connack.code), `${door.name}: ${what} is answered ${connack?.code}`);
}

/** Somebody who heard a whole login says the same again: the server's nonce is another. */
async function replayed(arena: Arena, { name }: Principal): Promise<void> {
  const { endpoint } = arena.door;
  const wish = { username: name, password, method: scram, nonce: "heard" };
  const heard = await beginLogin(endpoint, wish);
  const proof = proofFor(heard);
  heard.client.send(proof);
  await heard.client.next("CONNACK");
  const again = await beginLogin(endpoint, wish);
  again.client.send(proof);
  const { packets } = await again.client.closed();
  const isIn = packets.some(({ name: kind, code }) => kind === "CONNACK" && code === 0);
  hold(!isIn, "a login that was heard is let in again");
}
