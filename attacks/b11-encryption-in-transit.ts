import { constants } from "node:crypto";
import { connect as connectTls, type SecureVersion, type TLSSocket } from "node:tls";
import type { Endpoint } from "../test/support/streams.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";

interface Offer {
  readonly what: string;
  readonly versions: readonly [SecureVersion, SecureVersion];
  readonly ciphers: string;
}

/** Our own library must be allowed to speak what is long broken, to see it refused. */
const anyLevel = "@SECLEVEL=0";
const offers: readonly Offer[] = [
  { what: "TLS 1.0", versions: ["TLSv1", "TLSv1"], ciphers: "ALL" },
  { what: "TLS 1.1", versions: ["TLSv1.1", "TLSv1.1"], ciphers: "ALL" },
  { what: "no encryption", versions: ["TLSv1.2", "TLSv1.2"], ciphers: "eNULL" },
  { what: "no authentication", versions: ["TLSv1.2", "TLSv1.2"], ciphers: "aNULL" },
  { what: "keys without forward secrecy", versions: ["TLSv1.2", "TLSv1.2"], ciphers: "kRSA" },
  { what: "CBC", versions: ["TLSv1.2", "TLSv1.2"], ciphers: "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384" },
  { what: "CBC with RSA", versions: ["TLSv1.2", "TLSv1.2"], ciphers: "ECDHE-RSA-AES128-SHA:AES128-SHA:AES256-SHA256" },
];

export const b11 = attack({
  id: "B11",
  title: "Delivery: encryption in transit",
  threat: "A client is led to a version or a cipher that is broken, or the connection is renegotiated to one.",
  mitigation: "TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers alone; no renegotiation, no early data.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "old versions, broken ciphers, renegotiation",
      run: probe,
      elsewhere: lacks("listens without TLS by default"),
    },
  ],
});

async function probe(arena: Arena): Promise<void> {
  for (const { endpoint, name } of arena.doors) {
    for (const { what, versions, ciphers } of offers) {
      const [minVersion, maxVersion] = versions;
      const agreed = await handshake(endpoint, { minVersion, maxVersion, ciphers: `${ciphers}:${anyLevel}` });
      hold(agreed === undefined, `${name}: ${what} is agreed on: ${agreed?.getCipher().name}`);
    }
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const agreed = await handshake(endpoint, { minVersion: version, maxVersion: version });
      if (agreed === undefined) throw new Error(`${name}: ${version} is refused`);
      const cipher = agreed.getCipher().name;
      hold(/GCM|CHACHA20/.test(cipher), `${name}: ${version} is agreed on with ${cipher}`);
      if (version === "TLSv1.2") hold(!(await renegotiates(agreed)), `${name}: renegotiation is accepted`);
      agreed.destroy();
    }
  }
}

interface HandshakeOptions {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  readonly ciphers?: string;
}

/** The socket when both agree; undefined when the server, or our own library, refuses. */
function handshake(endpoint: Endpoint, options: HandshakeOptions): Promise<TLSSocket | undefined> {
  return new Promise((resolve) => {
    const { host, port, ca } = endpoint;
    const secureOptions = constants.SSL_OP_LEGACY_SERVER_CONNECT;
    let socket: TLSSocket;
    try {
      const trust = ca === undefined ? {} : { ca };
      socket = connectTls({ host, port, servername: "localhost", ...trust, ...options, secureOptions });
    } catch {
      // our library does not know the cipher any more
      resolve(undefined);
      return;
    }
    socket.once("secureConnect", () => resolve(socket));
    socket.on("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}

function renegotiates(socket: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 1_500);
    const end = (accepted: boolean): void => {
      clearTimeout(timer);
      resolve(accepted);
    };
    socket.once("close", () => end(false));
    const asked = socket.renegotiate({}, (error) => end(error === null));
    if (asked === false) end(false);
  });
}
