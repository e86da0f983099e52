// LESSONS 11, Mosquitto 1.5. Elsewhere a client certificate was looked at on one transport and taken unseen on the
// other. Here what a client shows in TLS without anybody having trusted it lets nobody in, on either.
import { expect } from "vitest";
import {
  type IssuedCertificate,
  issueAuthority,
  issueServer,
} from "../../packages/broker/src/input/issue-certificate.ts";
import { isLetIn } from "./certificates.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();
const day = 86_400_000;

async function badCertificates(name: string): Promise<readonly (readonly [string, IssuedCertificate])[]> {
  const now = Date.now();
  const authority = await issueAuthority({ commonName: "mess", now: now - 40 * day, days: 80 });
  const issued = (names: string[], at: number): Promise<IssuedCertificate> =>
    issueServer({ authority, names, now: at, days: 1 });
  return [
    ["of an authority of the same name", await issued([name], now)],
    ["of that authority itself", authority],
    ["for admin", await issued(["admin"], now)],
    ["for many names", await issued(["localhost", name, "admin"], now)],
    ["that has run out", await issued([name], now - 30 * day)],
    ["that is not yet valid", await issued([name], now + 30 * day)],
  ];
}

atEachDoor(field, "six certificates that prove nothing", async (arena, { endpoint }) => {
  const owner = await arena.principal();
  for (const [what, certificate] of await badCertificates(owner.name)) {
    for (const username of [undefined, owner.name, owner.id, "admin"]) {
      expect(await isLetIn(endpoint, certificate, username), `a certificate ${what}, user ${username}`).toBe(false);
    }
  }
});
