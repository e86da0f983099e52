// A revoked key is out within a second: live connections, new ones, and what waits for its sessions (THREATS A15, LESSONS 7, 16, 17).
import { expect, it } from "vitest";
import { createKey, messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { lasting, topic, unique, useServer, will } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
const admin = (): { username: string; password: string } => ({
  username: shared.server.admin.id,
  password: shared.server.admin.secret,
});

it("ends its live connections within a second, and refuses new ones", async () => {
  const { server } = shared;
  const key = await createKey(server, unique("p"), "admin");
  const credentials = { username: key.id, password: key.secret };
  const name = topic();
  const five = await RawClient.connect(server.mqtt, { ...lasting(5), ...credentials, clientId: unique("c") });
  const four = await RawClient.connect(server.mqtt, { ...lasting(4), ...credentials, clientId: unique("c") });
  const socket = await RawClient.connect(server.webSocket, { ...credentials, clientId: unique("c") });
  const watcher = await RawClient.connect(server.mqtt, { ...admin(), clientId: unique("c") });
  await watcher.subscribe(name);
  const willing = await RawClient.connect(server.mqtt, {
    ...credentials,
    clientId: unique("c"),
    will: will(name, "of a revoked key"),
  });
  const revoked = await messAt(server, ["key", "revoke", key.id, "--yes"]);
  expect(revoked.code).toBe(0);
  const began = performance.now();
  await Promise.all([
    five.refused([0x87, 0x98], { within: 2_000 }),
    four.refused([], { within: 2_000 }),
    socket.closed(2_000),
    willing.closed(2_000),
  ]);
  expect(performance.now() - began).toBeLessThan(1_000);
  const again = await RawClient.open(server.mqtt);
  again.send(build.connect({ clientId: unique("c"), ...credentials }));
  await again.refused([0x86, 0x87], { mustTell: true });
  // a will is published only if its author may publish at that moment
  await watcher.expectNothing(300);
});

it("leaves other keys of the same principal alone", async () => {
  const { server } = shared;
  const principal = unique("p");
  const one = await createKey(server, principal, "admin");
  const client = await RawClient.connect(server.mqtt, { ...admin(), clientId: unique("c") });
  expect((await messAt(server, ["key", "revoke", one.id, "--yes"])).code).toBe(0);
  await client.ping();
});

it("stays revoked after SIGKILL and a new start", async () => {
  const { server } = shared;
  const key = await createKey(server, unique("p"), "admin");
  expect((await messAt(server, ["key", "revoke", key.id, "--yes"])).code).toBe(0);
  await server.kill();
  await server.start();
  const client = await RawClient.open(server.mqtt);
  client.send(build.connect({ clientId: unique("c"), username: key.id, password: key.secret }));
  await client.refused([0x86, 0x87], { mustTell: true });
});
