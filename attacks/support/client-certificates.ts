/** A broker that trusts an authority of its user, and client certificates of every kind. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  makeAuthority,
  makeClient,
  makeList,
  type TestAuthority,
  type TestCertificate,
} from "../../packages/broker/src/input/certificates.test-data.ts";
import type { Arena, Principal } from "./arena.ts";
import type { Door } from "./broker.ts";
import { scratch } from "./files.ts";

export interface Trusting {
  readonly arena: Arena;
  readonly authority: TestAuthority;
  /** Nobody trusts it. */
  readonly stranger: TestAuthority;
  /** The certificate `dns:device-1.example` of `authority` stands for it. */
  readonly owner: Principal;
}

const revokedSerial = "7E57";
const hour = 3_600_000;

export async function trustingBroker(outer: Arena): Promise<Trusting> {
  const directory = scratch();
  const [ca, crl] = [join(directory, "ca.pem"), join(directory, "crl.pem")];
  const [authority, stranger] = [await makeAuthority("devices"), await makeAuthority("stranger")];
  writeFileSync(ca, authority.pem);
  writeFileSync(crl, await makeList(authority, [revokedSerial]));
  const arena = await outer.own({ args: ["--client-ca", ca, "--client-crl", crl] });
  const owner = await arena.principal();
  await nameCertificates(arena, owner, ["dns:device-1.example"]);
  return { arena, authority, stranger, owner };
}

/** What the policy says of the certificates of somebody. */
export async function nameCertificates(
  arena: Arena,
  { name }: Principal,
  certificates: readonly string[],
): Promise<void> {
  const policy = JSON.parse((await arena.admin("/v1/policy")).text) as {
    principals: Readonly<Record<string, { roles: readonly string[] }>>;
  };
  const roles = policy.principals[name]?.roles ?? [];
  const body = { ...policy, principals: { ...policy.principals, [name]: { roles, certificates } } };
  const { status, text } = await arena.admin("/v1/policy", { method: "PUT", body });
  if (status !== 200) throw new Error(`the certificates of ${name} are refused: ${status} ${text}`);
}

/** Each is wrong in one way alone. */
export async function badCertificates({ authority, stranger }: Trusting): Promise<readonly (readonly [string, Pem])[]> {
  const of = (made: TestCertificate, by: TestAuthority | undefined = authority): Promise<Pem> => makeClient(by, made);
  return [
    ["expired", await of({ notBefore: Date.now() - 2 * hour, notAfter: Date.now() - hour })],
    ["not yet valid", await of({ notBefore: Date.now() + hour, notAfter: Date.now() + 2 * hour })],
    ["of another authority", await of({}, stranger)],
    ["revoked", await of({ serial: revokedSerial })],
    ["signed by itself", await makeClient(undefined, {})],
    ["for servers", await of({ usage: "server" })],
  ];
}

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** Is somebody with this certificate let in over MQTT at this door? With `key`: an API key is shown beside it. */
export async function isLetIn(arena: Arena, door: Door, client: Pem, key?: Principal): Promise<boolean> {
  const endpoint = { ...door.endpoint, certificate: { cert: client.cert, key: client.key } };
  const credentials = key === undefined ? {} : key.credentials;
  // a door may refuse at the handshake, of TLS or of WebSocket
  const attempt = await arena.attempt({ credentials }, {}, { ...door, endpoint }).catch(() => undefined);
  attempt?.client.stream.destroy();
  return attempt?.connack?.code === 0;
}
