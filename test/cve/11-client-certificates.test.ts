// LESSONS 11, Mosquitto 1.5. Elsewhere a client certificate was looked at on one transport and taken unseen on the
// other. Here one that no trusted authority made for a client, or not for now, lets nobody in, on either.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { scratch } from "../../attacks/support/files.ts";
import { issueAuthority, issueServer } from "../../packages/broker/src/input/issue-certificate.ts";
import type { IssuedCertificate } from "../../packages/broker/src/input/x509-tools.ts";
import { isLetIn } from "./certificates.ts";
import { atEachDoor, useField } from "./support.ts";

const day = 86_400_000;
const began = Date.now() - 40 * day;
const trusted = await issueAuthority({ commonName: "trusted", now: began, days: 80 });
const impostor = await issueAuthority({ commonName: "trusted", now: began, days: 80 });
const clientCa = join(scratch(), "clients.pem");
writeFileSync(clientCa, trusted.certificate);
const field = useField({ args: ["--client-ca", clientCa] });

async function badCertificates(name: string): Promise<readonly (readonly [string, IssuedCertificate])[]> {
  const now = Date.now();
  const issued = (authority: IssuedCertificate, names: string[], at = now): Promise<IssuedCertificate> =>
    issueServer({ authority, names, now: at, days: 1 });
  return [
    ["of an authority of the same name", await issued(impostor, [name])],
    ["of that authority itself", impostor],
    ["for a server, of the trusted authority", await issued(trusted, [name])],
    ["for a server called admin, of the trusted authority", await issued(trusted, ["admin"])],
    ["that has run out", await issued(trusted, [name], now - 30 * day)],
    ["that is not yet valid", await issued(trusted, [name], now + 30 * day)],
  ];
}

atEachDoor(field, "six certificates that prove nothing", async (arena, { endpoint }) => {
  const owner = await arena.principal();
  const seen = await arena.observe();
  for (const [what, certificate] of await badCertificates(owner.name)) {
    for (const username of [undefined, owner.name, owner.id, "admin"]) {
      expect(await isLetIn(endpoint, certificate, username), `a certificate ${what}, user ${username}`).toBe(false);
    }
  }
  // it was the certificate that was looked at
  expect(seen.events("auth.fail").some(({ method }) => method === "certificate")).toBe(true);
});
