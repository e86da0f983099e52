import { makeClient, type TestCertificate } from "../packages/broker/src/input/certificates.test-data.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { isLetIn, nameCertificates, trustingBroker } from "./support/client-certificates.ts";

export const b07 = attack({
  id: "B7",
  title: "Subscriptions: the identity of consumers",
  threat:
    "A certificate that is valid stands for somebody else than its owner: by its common name, the order of a name's parts, a name that looks alike.",
  mitigation:
    "A certificate stands for a principal by a name in its subject alternative names, compared byte by byte with the policy; the subject is never looked at, and no name has wildcards.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "names that are not quite those of somebody, in certificates of a trusted authority",
      run: lookalikes,
      elsewhere: lacks("asks for no certificate by default"),
    },
    {
      name: "a policy that maps a name to two, or by a pattern",
      run: ambiguous,
      elsewhere: lacks("asks for no certificate by default"),
    },
  ],
});

/** The one that is listed is `dns:device-1.example`. */
const names: readonly (readonly [string, TestCertificate])[] = [
  ["no alternative names, the name as common name", { names: [], subject: "CN=device-1.example" }],
  ["the name among parts of a subject", { names: [], subject: "O=x, CN=device-1.example, CN=other" }],
  ["the parts in another order", { names: [], subject: "CN=device-1.example, O=x, C=DE" }],
  ["capital letters", { names: [{ type: "dns", value: "Device-1.example" }] }],
  ["a level more", { names: [{ type: "dns", value: "x.device-1.example" }] }],
  ["a dot at the end", { names: [{ type: "dns", value: "device-1.example." }] }],
  ["a wildcard", { names: [{ type: "dns", value: "*.example" }] }],
  ["the name as an address of mail", { names: [{ type: "email", value: "device-1@device-1.example" }] }],
  ["the name as a URI", { names: [{ type: "url", value: "dns:device-1.example" }] }],
  ["the URI of an own certificate", { names: [{ type: "url", value: "urn:mess:principal:admin" }] }],
  ["U+0000 inside", { rawNames: dnsName("device-1.example\0.other") }],
  ["U+0000 at the end", { rawNames: dnsName("device-1.example\0") }],
];

/** A sequence with one dNSName. */
function dnsName(text: string): Uint8Array {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([Buffer.from([0x30, bytes.length + 2, 0x82, bytes.length]), bytes]);
}

async function lookalikes(outer: Arena): Promise<void> {
  const trusting = await trustingBroker(outer);
  const { arena, authority, owner } = trusting;
  const right = await makeClient(authority, { names: [{ type: "dns", value: "device-1.example" }] });
  for (const door of arena.doors) {
    if (!(await isLetIn(arena, door, right))) throw new Error(`${door.name}: the right certificate is refused`);
    for (const [what, made] of names) {
      const client = await makeClient(authority, made);
      hold(!(await isLetIn(arena, door, client)), `${door.name}: ${what} is let in`);
    }
  }
  const second = await arena.principal();
  await nameCertificates(arena, second, ["dns:device-2.example"]);
  const both = await makeClient(authority, {
    names: [
      { type: "dns", value: "device-1.example" },
      { type: "dns", value: "device-2.example" },
    ],
  });
  for (const door of arena.doors) {
    hold(
      !(await isLetIn(arena, door, both)),
      `${door.name}: a certificate of two (${owner.name}, ${second.name}) is let in`,
    );
  }
}

async function ambiguous(outer: Arena): Promise<void> {
  const { arena } = await trustingBroker(outer);
  for (const certificates of [
    ["dns:device-1.example"],
    ["dns:*.example"],
    ["uri:urn:mess:principal:admin"],
    ["cn:device-1.example"],
    ["device-1.example"],
  ]) {
    const somebody = await arena.principal();
    const isTaken = await nameCertificates(arena, somebody, certificates).then(
      () => true,
      () => false,
    );
    hold(!isTaken, `the policy takes ${certificates.join()} for another principal`);
  }
}
