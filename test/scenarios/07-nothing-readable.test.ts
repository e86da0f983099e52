// Nothing a client said can be read in the data directory: payloads, topics, client ids, properties, user names (THREATS A9, C4).
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting } from "../support/suite.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
}, 30_000);

afterAll(() => server.remove());

const words = {
  payload: "MARKER-payload-of-a-message",
  retained: "MARKER-retained-payload",
  will: "MARKER-will-payload",
  topic: "MARKER-topic/level-two",
  filter: "MARKER-filter/+/x",
  clientId: "MARKER-client-id",
  contentType: "MARKER-content-type",
  responseTopic: "MARKER-response-topic",
  correlation: "MARKER-correlation-data",
  property: "MARKER-user-property",
  group: "MARKER-shared-group",
  subscription: "MARKER-subscription",
  erasable: "MARKER-erasable/+",
  orderingKey: "MARKER-ordering-key",
  messageId: "MARKER-message-id",
  principal: "MARKER-principal",
  role: "MARKER-role",
  owner: "MARKER-owner",
};

const administered: readonly string[] = [words.erasable, words.subscription, words.principal, words.role, words.owner];

/** Undefined for what is no file, or is gone already: the server renames its spare segments. */
function contentOf(path: string): Buffer | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Every file of the directory that holds one of the words, in any of the usual encodings. */
function leaks(directory: string, secrets: readonly string[]): string[] {
  const found: string[] = [];
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const bytes = contentOf(path);
    if (bytes === undefined) continue;
    for (const secret of secrets) {
      const forms = [
        Buffer.from(secret),
        Buffer.from(secret, "utf16le"),
        Buffer.from(Buffer.from(secret).toString("base64").replaceAll("=", "")),
      ];
      if (forms.some((form) => bytes.includes(form))) found.push(`${name}: ${secret}`);
    }
  }
  return found;
}

/** Declarations, keys and policy, and what they make: erasure domains, ordering keys, ids. */
async function administer(): Promise<void> {
  const done = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await messAt(server, args);
    expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
  };
  await done("topic", "create", words.erasable, "--erasure", "key", "--owner", words.owner);
  await done("subscription", "create", words.subscription, "--filter", words.erasable);
  const policy = await messAt(server, ["policy", "show"]);
  const file = join(server.dataDir, "..", "policy.toml");
  writeFileSync(file, `${policy.stdout}\n[roles.${words.role}]\nallow = [{ publish = "${words.topic}" }]\n`);
  await done("policy", "apply", file, "--yes");
  await done("key", "create", words.principal, "--role", words.role);
}

it("finds none of them while it runs, after SIGKILL, and after a clean stop", async () => {
  const { id, secret } = server.admin;
  const key = { username: id, password: secret };
  const reader = await RawClient.connect(server.mqtt, { ...lasting(5), ...key, clientId: words.clientId });
  await administer();
  await reader.subscribe([
    { filter: `$share/${words.group}/${words.topic}`, qos: 1 },
    { filter: words.filter, qos: 2 },
    { filter: words.topic, qos: 2 },
  ]);
  await reader.drop();
  const properties = {
    contentType: words.contentType,
    responseTopic: words.responseTopic,
    correlationData: Buffer.from(words.correlation),
    userProperty: [[words.property, words.property]] as [string, string][],
  };
  const publisher = await RawClient.connect(server.mqtt, {
    ...key,
    clientId: `${words.clientId}-2`,
    will: { topic: words.topic, payload: words.will, qos: 1, properties },
  });
  for (let index = 0; index < 20; index += 1)
    await publisher.publish({ topic: words.topic, payload: words.payload, qos: 1 + (index % 2), properties });
  await publisher.publish({ topic: words.topic, payload: words.retained, qos: 1, retain: true, properties });
  const erasable = words.erasable.replace("+", "x");
  const keyed: [string, string][] = [
    ["mess-key", words.orderingKey],
    ["mess-id", words.messageId],
  ];
  await publisher.publish({ topic: erasable, payload: words.payload, qos: 1, properties: { userProperty: keyed } });
  publisher.send(build.publish({ topic: words.topic, payload: words.payload, qos: 2, id: 999 }));
  await publisher.take({ name: "PUBREC", id: 999 });
  const all = [...Object.values(words), "level-two"];
  expect(leaks(server.dataDir, all)).toEqual([]);
  await server.kill();
  expect(leaks(server.dataDir, all)).toEqual([]);
  await server.start();
  await server.stop();
  expect(leaks(server.dataDir, all)).toEqual([]);
});

it("keeps the admin secret only in admin.key, and its private keys in no readable form", () => {
  const { secret } = server.admin;
  const names = readdirSync(server.dataDir).filter((name) =>
    leaks(server.dataDir, [secret]).some((leak) => leak.startsWith(`${name}:`)),
  );
  expect(names).toEqual(["admin.key"]);
  expect(leaks(server.dataDir, ["PRIVATE KEY"])).toEqual([]);
});

it("prints none of them", () => {
  for (const word of Object.values(words)) {
    // What administrators name is in the log of their acts.
    if (word === words.clientId || administered.includes(word)) continue;
    expect(server.stdout + server.stderr).not.toContain(word);
  }
});
