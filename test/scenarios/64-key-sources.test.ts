// The key-encryption key comes from a command or a descriptor, and is nowhere beside the data.
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { formatKek } from "../../packages/broker/src/storage/kek.ts";
import { adminKeyOf, ask } from "../support/ask.ts";
import { mess } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server, type ServerOptions } from "../support/server.ts";
import { lasting, unique } from "../support/suite.ts";

let owner: Server | undefined;
let current: Server | undefined;

afterEach(async () => {
  await current?.remove();
  await owner?.remove();
});

async function started(options: ServerOptions): Promise<Server> {
  await current?.stop();
  current = await Server.start({ mode: "secure", ...options });
  return current;
}

/** A message that waits for a session, and is there again in every later life. */
async function waiting(server: Server, publish: boolean): Promise<string[]> {
  const { id, secret } = server.admin;
  const login = { username: id, password: secret };
  const client = await RawClient.connect(server.mqtt, {
    ...lasting(5),
    ...login,
    clientId: "reader",
    cleanStart: publish,
  });
  if (publish) {
    await client.subscribe({ filter: "t", qos: 1 });
    await client.drop();
    const writer = await RawClient.connect(server.mqtt, { ...login, clientId: unique("w") });
    await writer.publish({ topic: "t", payload: "kept", qos: 1 });
    return [];
  }
  const [message] = await client.messages(1);
  await client.drop();
  return [Buffer.from(message?.["payload"] as Uint8Array).toString()];
}

it("starts with it, refuses without it, and changes it with the command", { timeout: 90_000 }, async () => {
  owner = await Server.start({ mode: "secure" });
  const { dataDir } = owner;
  await waiting(owner, true);
  await owner.stop();
  const elsewhere = join(dataDir, "..", "elsewhere");
  renameSync(`${dataDir}.kek`, elsewhere);
  expect((await mess(["serve", "--data", dataDir, "--mqtt-port", "0", "--http-port", "0"])).code).toBe(78);
  expect(existsSync(`${dataDir}.kek`)).toBe(false);
  const command = ["--kek-command", `cat '${elsewhere}'`];
  let server = await started({ dataDir, args: command });
  expect(await waiting(server, false)).toEqual(["kept"]);
  const rotate = (): ReturnType<typeof ask> =>
    ask(server, "/v1/storage/rotate-kek", { method: "POST", key: adminKeyOf(server) });
  const same = await rotate();
  expect(same).toMatchObject({ status: 409, text: expect.stringContaining("still gives the same key") });
  chmodSync(elsewhere, 0o600);
  writeFileSync(elsewhere, formatKek(Buffer.alloc(32, 9)));
  expect((await rotate()).status).toBe(200);
  await server.kill();
  server = await started({ dataDir, args: command });
  expect(await waiting(server, false)).toEqual(["kept"]);
  server = await started({
    dataDir,
    args: ["--kek-fd", "3"],
    wrapper: ["sh", "-c", `exec "$@" 3<'${elsewhere}'`, "sh"],
  });
  expect(await waiting(server, false)).toEqual(["kept"]);
  expect(await rotate()).toMatchObject({ status: 409, text: expect.stringContaining("--offline") });
  await server.stop();
  rmSync(elsewhere);
  expect((await mess(["verify", dataDir, ...command])).code).toBe(78);
});
