import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { defaultLimits } from "../config/limits.ts";
import type { PresentedCertificate } from "../model/authentication.ts";
import { Admission } from "./admission.ts";
import { newCertificateRequest, readCertificateRequest } from "./certificate-request.ts";
import { makeAuthority, makeClient, makeList, type TestAuthority, type TestClient } from "./certificates.test-data.ts";
import { managedCertificate } from "./certificates.ts";
import { Deadlines } from "./deadlines.ts";
import { openDoor } from "./doors/http/http.test-data.ts";
import { countingCounters, nodeTimers, temporaryDirectory, testBox, until } from "./input.test-data.ts";
import { issueClient } from "./issue-client-certificate.ts";
import { type Listening, listenTls } from "./listener.ts";
import { loadClientTrust } from "./load-client-trust.ts";
import { clientAuthority, managedAuthority } from "./managed-authority.ts";
import { ServerTls } from "./tls.ts";
import type { Transport, TransportHandler } from "./transport.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

const HOUR = 3_600_000;
const directory = temporaryDirectory();
const box = testBox();
const file = (name: string): string => join(directory.path, name);
let clock = 0;
let tls: ServerTls;
let tcp: Listening;
let wss: Listening;
let own: IssuedCertificate;
let foreign: TestAuthority;
let between: TestAuthority;
let stranger: TestAuthority;
let last: Transport | undefined;

function accept(transport: Transport): TransportHandler {
  last = transport;
  return { bytes: () => {}, drained: () => {}, closed: () => {} };
}

async function writeLists(revoked: readonly string[] = [], nextUpdate?: number): Promise<void> {
  const how = nextUpdate === undefined ? {} : { nextUpdate };
  const lists = [await makeList(foreign, [], { label: "library" }), await makeList(between, revoked, how)];
  writeFileSync(file("lists.pem"), lists.join(""));
}

beforeAll(async () => {
  own = (await managedAuthority(clientAuthority, { directory: directory.path, box, now: Date.now() })).authority;
  foreign = await makeAuthority("foreign root");
  between = await makeAuthority("foreign", foreign);
  stranger = await makeAuthority("stranger");
  writeFileSync(file("foreign.pem"), foreign.pem + between.pem);
  await writeLists();
  tls = await ServerTls.open({
    load: () => managedCertificate({ directory: directory.path, box, names: ["localhost"], now: Date.now() }),
    loadClients: () =>
      loadClientTrust({
        authority: own,
        authoritiesFile: file("foreign.pem"),
        listsFile: file("lists.pem"),
        now: Date.now(),
      }),
    now: () => Date.now() + clock,
    timers: nodeTimers,
    report: () => {},
  });
  const limits = defaultLimits;
  const admission = new Admission({
    limits,
    counters: countingCounters(),
    monotonic: () => performance.now(),
    perAddress: false,
  });
  const deadlines = new Deadlines(nodeTimers);
  tcp = await listenTls({ host: "127.0.0.1", port: 0, limits, admission, deadlines, accept, tls });
  wss = (await openDoor({ tls, upgrade: accept })).listening;
});

afterAll(async () => {
  await tcp.close();
  await wss.close();
  tls.close();
  directory.remove();
});

async function issued(principal: string): Promise<TestClient & { readonly expiresAt: number }> {
  const { request, key } = await newCertificateRequest();
  const publicKey = await readCertificateRequest(request);
  if ("problem" in publicKey) throw new Error(publicKey.problem);
  const made = await issueClient({ authority: own, principal, publicKey, now: Date.now(), days: 1 });
  return { ...made, cert: made.certificate, key };
}

const transports = ["TCP", "WebSocket"] as const;
type Kind = (typeof transports)[number];

/** What the broker sees of a client that connects with these options. */
async function presented(kind: Kind, options: ConnectionOptions): Promise<PresentedCertificate | undefined> {
  last = undefined;
  const all = { ca: readFileSync(file("ca.pem")), servername: "localhost", ...options };
  if (kind === "TCP") {
    const socket = connectTls({ host: "127.0.0.1", port: tcp.port, ...all });
    await once(socket, "secureConnect");
    await until(() => last !== undefined);
    socket.destroy();
  } else {
    const socket = new WebSocket(`wss://127.0.0.1:${wss.port}/mqtt`, ["mqtt"], all as object);
    await once(socket, "open");
    await until(() => last !== undefined);
    socket.terminate();
  }
  return (last as unknown as Transport).peer.certificate;
}

describe.each(transports)("a client certificate over %s", (kind) => {
  it("is not demanded", async () => {
    expect(await presented(kind, {})).toBeUndefined();
  });

  it("is known as one of our own, with its names", async () => {
    const client = await issued("sensor 1");
    expect(await presented(kind, client)).toMatchObject({
      verified: true,
      problem: "",
      authority: "own",
      serial: client.serial,
      names: ["uri:urn:mess:principal:sensor%201"],
      expiresAt: client.expiresAt,
    });
  });

  it("is known as one of a foreign authority", async () => {
    const client = await makeClient(between, {
      names: [
        { type: "url", value: "spiffe://example/device/1" },
        { type: "email", value: "a@b.example" },
        { type: "dns", value: "device-1.example" },
      ],
    });
    expect(await presented(kind, client)).toMatchObject({
      verified: true,
      authority: "foreign",
      serial: client.serial,
      names: ["uri:spiffe://example/device/1", "dns:device-1.example"],
    });
  });

  it("of a foreign authority with the name of ours is not ours", async () => {
    const client = await makeClient(between, { names: [{ type: "url", value: "urn:mess:principal:admin" }] });
    expect(await presented(kind, client)).toMatchObject({ verified: true, authority: "foreign" });
  });

  it.each<[string, () => Promise<TestClient>, RegExp]>([
    [
      "expired",
      () => makeClient(between, { notBefore: Date.now() - 3 * HOUR, notAfter: Date.now() - HOUR }),
      /expired/,
    ],
    [
      "not yet valid",
      () => makeClient(between, { notBefore: Date.now() + HOUR, notAfter: Date.now() + 2 * HOUR }),
      /not valid yet/,
    ],
    ["of a wrong authority", () => makeClient(stranger), /authority is not one that is trusted/],
    ["revoked", () => makeClient(between, { serial: "0badbad0" }), /revoked/],
    ["signed by itself", () => makeClient(undefined), /signed by itself/],
    ["made for servers", () => makeClient(between, { usage: "server" }), /not made for clients/],
  ])("that is %s does not verify", async (_, make, problem) => {
    await writeLists(["0badbad0"]);
    await tls.reload();
    const seen = await presented(kind, await make());
    expect(seen).toMatchObject({ verified: false, problem: expect.stringMatching(problem) });
    // The control: the same with nothing wrong with it.
    expect(await presented(kind, await makeClient(between))).toMatchObject({ verified: true });
  });

  it("of an authority that has no up-to-date list does not verify", async () => {
    await writeLists([], Date.now() - HOUR);
    await tls.reload();
    const client = await makeClient(between);
    expect(await presented(kind, client)).toMatchObject({
      verified: false,
      problem: expect.stringMatching(/list.*date/),
    });
    writeFileSync(file("lists.pem"), await makeList(foreign, []));
    await tls.reload();
    expect(await presented(kind, client)).toMatchObject({
      verified: false,
      problem: expect.stringMatching(/no rev.*list/),
    });
    // Of two lists of an authority each revokes.
    const twice = [await makeList(between, [client.serial]), await makeList(between, [])];
    writeFileSync(file("lists.pem"), [await makeList(foreign, []), ...twice].join(""));
    await tls.reload();
    expect(await presented(kind, client)).toMatchObject({ verified: false, problem: "it was revoked" });
    // Ours needs none.
    expect(await presented(kind, await issued("a"))).toMatchObject({ verified: true });
    await writeLists();
    await tls.reload();
  });
});

describe("a resumed session", () => {
  async function session(
    options: ConnectionOptions,
  ): Promise<{ session: Buffer; seen: PresentedCertificate | undefined }> {
    const [seen, ticket, reused] = await dial(options);
    expect(reused).toBe(options.session !== undefined);
    return { session: ticket, seen };
  }

  async function dial(options: ConnectionOptions): Promise<[PresentedCertificate | undefined, Buffer, boolean]> {
    last = undefined;
    const ca = readFileSync(file("ca.pem"));
    const socket: TLSSocket = connectTls({
      host: "127.0.0.1",
      port: tcp.port,
      ca,
      servername: "localhost",
      ...options,
    });
    let ticket: Buffer = Buffer.alloc(0);
    socket.on("session", (bytes: Buffer) => (ticket = bytes));
    await once(socket, "secureConnect");
    // Tickets of TLS 1.3 come after the handshake.
    await until(() => last !== undefined && (options.session !== undefined || ticket.length > 0));
    const reused = socket.isSessionReused();
    socket.destroy();
    return [(last as unknown as Transport).peer.certificate, ticket, reused];
  }

  it.each(["TLSv1.2", "TLSv1.3"] as const)("of %s shows the certificate, which is judged anew", async (maxVersion) => {
    await writeLists([], Date.now() + 3 * HOUR);
    await tls.reload();
    const client = await makeClient(between);
    const first = await session({ ...client, maxVersion });
    expect(first.seen).toMatchObject({ verified: true });
    const again = { ...client, maxVersion, session: first.session };
    expect((await session(again)).seen).toMatchObject({ verified: true, serial: client.serial });
    clock = 2 * HOUR;
    expect((await session(again)).seen).toMatchObject({ verified: false, problem: "it has expired" });
    clock = -2 * HOUR;
    expect((await session(again)).seen).toMatchObject({ verified: false, problem: "it is not valid yet" });
    clock = 0;
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("of %s does not outlive its list", async (maxVersion) => {
    await writeLists([], Date.now() + HOUR / 2);
    await tls.reload();
    const client = await makeClient(between);
    const first = await session({ ...client, maxVersion });
    clock = 0.6 * HOUR;
    const { seen } = await session({ ...client, maxVersion, session: first.session });
    expect(seen).toMatchObject({ verified: false, problem: expect.stringMatching(/list.*date/) });
    clock = 0;
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "of %s ends with a reload, and what was revoked then is",
    async (maxVersion) => {
      await writeLists();
      await tls.reload();
      const client = await makeClient(between);
      const first = await session({ ...client, maxVersion });
      await writeLists([client.serial]);
      await tls.reload();
      const [seen, , reused] = await dial({ ...client, maxVersion, session: first.session });
      expect([seen?.problem, reused]).toEqual(["it was revoked", false]);
    },
  );

  it("of a bad certificate stays bad", async () => {
    const client = await makeClient(stranger);
    const first = await session(client);
    const { seen } = await session({ ...client, session: first.session });
    expect(seen).toMatchObject({ verified: false, problem: expect.stringMatching(/not one that is trusted/) });
  });

  it("without a certificate has none, although the TLS library calls it authorized", async () => {
    const first = await session({});
    expect((await session({ session: first.session })).seen).toBeUndefined();
  });
});
