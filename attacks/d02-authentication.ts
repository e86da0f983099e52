import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { badJwts } from "./support/bad-logins.ts";

const tries = 130;

export const d02 = attack({
  id: "D2",
  title: "Basic authentication for producers and consumers",
  threat: "Credentials are guessed, forged, or taken in a form that proves nothing.",
  mitigation:
    "256-bit keys stored as hashes, passwords by SCRAM, JWTs by exact issuer, audience, key and algorithm; failures are counted for each address, and past the limit it is refused unasked.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    { name: "guessing from one address, over all doors", run: guessing, elsewhere: lacks("counts no failed attempts") },
    {
      name: "JWTs that are forged, or say how they are to be checked",
      run: badJwts,
      elsewhere: lacks("asks for no credential by default"),
    },
  ],
});

async function guessing(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const seen = await arena.observe();
  let refusedUnasked = 0;
  for (let count = 0; count < tries; count += 1) {
    const secret = `guess${count}`;
    if (count % 3 === 2) {
      const headers = { authorization: `Bearer ${owner.id}.${secret}` };
      const { status, headers: told } = await arena.ask(undefined, "/v1/whoami", { headers });
      hold(status === 401 || status === 429, `a guess is answered ${status}`);
      if (status === 429) {
        refusedUnasked += 1;
        hold(Number(told["retry-after"]) >= 1, "429 does not say when to come again");
      }
      continue;
    }
    const credentials = { username: owner.id, password: secret };
    const { client, connack } = await arena.attempt({ credentials }, {}, arena.doors[count % 3]);
    hold(connack?.code !== 0, "a guess is let in");
    if (connack?.code === 0x9f) refusedUnasked += 1;
    client.stream.destroy();
  }
  hold(refusedUnasked > 3, `${tries} guesses, and ${refusedUnasked} are refused unasked`);
  const right = await arena.attempt(owner);
  hold(right.connack?.code !== 0, "the address is let in again at once");
  hold(
    (await seen.counted('mess_limit_hits_total{limit="authFailuresPerAddressPerMinute"}')) > 0,
    "nothing is counted",
  );
  // others are not held up by it
  const elsewhere = await arena.attempt(
    owner,
    {},
    { ...arena.door, endpoint: { ...arena.door.endpoint, from: "127.0.7.7" } },
  );
  hold(elsewhere.connack?.code === 0, "the owner is shut out by guesses from another address");
}
