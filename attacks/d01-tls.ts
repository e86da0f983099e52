import { spawn } from "node:child_process";
import { makeClient } from "../packages/broker/src/input/certificates.test-data.ts";
import { sleep } from "../test/support/names.ts";
import { tool } from "../test/support/tools.ts";
import type { Arena } from "./support/arena.ts";
import { attack, CannotTry, hold, lacks } from "./support/attack.ts";
import { badCertificates, isLetIn, trustingBroker } from "./support/client-certificates.ts";

const noTls = lacks("listens without TLS by default");

export const d01 = attack({
  id: "D1",
  title: "Implement TLS",
  threat: "A peer that cannot prove itself is let in, or the machinery of TLS itself is used to exhaust the server.",
  mitigation:
    "TLS 1.2 and 1.3 alone, certificates checked on every listener, keys and certificates exchanged without a restart.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "client certificates that do not verify, with and without a good key",
      run: certificates,
      elsewhere: noTls,
    },
    { name: "a flood of requests for new keys (TLS 1.3 KeyUpdate)", run: keyUpdates, elsewhere: noTls },
  ],
});

/** `K` at the start of a line makes s_client ask for new keys of both sides. */
async function keyUpdates(arena: Arena): Promise<void> {
  const openssl = tool("openssl");
  if (openssl === undefined) throw new CannotTry("openssl is not installed");
  const count = arena.full ? 20_000 : 300;
  const { host, port } = arena.door.endpoint;
  const seen = await arena.observe();
  const child = spawn(openssl, ["s_client", "-tls1_3", "-connect", `${host}:${port}`], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  try {
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        said += bytes.toString("latin1");
      });
    }
    child.stdin.on("error", () => undefined);
    for (let waited = 0; waited < 100 && !said.includes("SSL handshake has read"); waited += 1) await sleep(20);
    for (let sent = 0; sent < count && child.exitCode === null; sent += 1) {
      child.stdin.write("K\n");
      await sleep(1);
    }
    const asked = said.match(/KEYUPDATE/g)?.length ?? 0;
    if (asked === 0) throw new Error("no KeyUpdate was sent");
    hold(seen.memoryGrowth() < 32, `${asked} requests for new keys cost ${Math.round(seen.memoryGrowth())} MB`);
  } finally {
    child.kill("SIGKILL");
  }
}

/** Six kinds at each door. A good key beside a bad certificate does not help: its owner believes to be known by it. */
async function certificates(outer: Arena): Promise<void> {
  const trusting = await trustingBroker(outer);
  const { arena, authority, owner } = trusting;
  const good = await makeClient(authority);
  for (const door of arena.doors) {
    if (!(await isLetIn(arena, door, good))) throw new Error(`${door.name}: a good certificate is refused`);
    for (const [what, client] of await badCertificates(trusting)) {
      hold(!(await isLetIn(arena, door, client)), `${door.name}: a certificate that is ${what} is let in`);
      hold(!(await isLetIn(arena, door, client, owner)), `${door.name}: ${what}, with a good key, is let in`);
    }
  }
}
