// Signed messages: what was altered, is of somebody else or was taken before is not taken (THREATS A16, C5, D7).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Broker } from "@mess/broker";
import { TestClock } from "@mess/broker/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { createKey, type Key, messAt } from "../support/cli.ts";
import { publishWith, text, userProperty, withPolicy } from "../support/declared.ts";
import type { Packet } from "../support/decoder.ts";
import * as build from "../support/packets.ts";
import { type ConnectOptions, RawClient } from "../support/raw-client.ts";
import { createSigner, Signer } from "../support/signer.ts";
import { lasting, unique, useServer } from "../support/suite.ts";

const refused = 0x87;
const args = withPolicy(`
[topics."signed/#"]
signing = "required"
[topics."open/#"]
signing = "optional"

[roles.device]
allow = [{ publish = "#" }, { subscribe = "#" }]
[principals.sensor]
roles = ["device"]
[principals.other]
roles = ["device"]
`);
const shared = useServer({ mode: "secure", args });
let sensor: Key;
let other: Key;
let signer: Signer;
let otherSigner: Signer;
let sharedSecret: Signer;

beforeAll(async () => {
  const { server } = shared;
  sensor = await createKey(server, "sensor");
  other = await createKey(server, "other");
  signer = await createSigner(server, "sensor");
  otherSigner = await createSigner(server, "other");
  sharedSecret = await createSigner(server, "sensor", "--hmac");
}, 30_000);

const as = (key: Key, options: ConnectOptions = {}): ConnectOptions => ({
  clientId: unique("c"),
  username: key.id,
  password: key.secret,
  ...options,
});
const connect = (key: Key, options: ConnectOptions = {}): Promise<RawClient> =>
  RawClient.connect(shared.server.mqtt, as(key, options));
const publish = (client: RawClient, topic: string, payload: string, signature: string): Promise<Packet> =>
  publishWith(client, topic, payload, [["mess-signature", signature]]);
const why = ({ properties }: Packet): string => properties.reasonString?.toString() ?? "";
const newTopic = (): string => `signed/${unique()}`;

async function post(key: Key, topic: string, payload: string, signature?: string): Promise<[number, string]> {
  const reply = await ask(shared.server, "/v1/batch", {
    method: "POST",
    key: `${key.id}.${key.secret}`,
    headers: { "content-type": "application/x-ndjson" },
    body: { topic, payload, ...(signature !== undefined && { signature }) },
  });
  return [reply.status, reply.text];
}

describe("what is taken", () => {
  it.each(["Ed25519", "HMAC-SHA-256"])("what was signed by a foreign library with %s", async (algorithm) => {
    const watcher = await connect(other);
    const topic = newTopic();
    await watcher.subscribe({ filter: topic, qos: 1 });
    const client = await connect(sensor);
    const signature = await (algorithm === "Ed25519" ? signer : sharedSecret).sign(topic, "21.5");
    expect((await publish(client, topic, "21.5", signature)).code).toBe(0);
    const came = await watcher.message();
    expect([text(came), userProperty(came, "mess-signature")]).toEqual(["21.5", signature]);
  });

  it("what comes again as the same packet of the same session, whose answer was lost: once", async () => {
    const watcher = await connect(other);
    const topic = newTopic();
    await watcher.subscribe({ filter: topic, qos: 1 });
    const session = lasting(5);
    const clientId = unique("c");
    const client = await connect(sensor, { ...session, clientId });
    const signature = await signer.sign(topic, "once");
    const packet = { topic, payload: "once", qos: 1, id: 7, version: 5 } as const;
    const properties = { userProperty: [["mess-signature", signature]] as [string, string][] };
    client.send(build.publish({ ...packet, properties }));
    expect(text(await watcher.message())).toBe("once");
    await client.drop();
    await shared.server.kill();
    await shared.server.start();
    const back = await connect(sensor, { ...session, clientId });
    const again = await connect(other, lasting(5));
    await again.subscribe({ filter: topic, qos: 1 });
    back.send(build.publish({ ...packet, properties, dup: true }));
    expect((await back.take({ name: "PUBACK", id: 7 })).code).toBeLessThan(0x80);
    // Without the mark, or as another packet, it is a replay.
    back.send(build.publish({ ...packet, properties }), build.publish({ ...packet, id: 8, properties, dup: true }));
    expect((await back.take({ name: "PUBACK", id: 7 })).code).toBe(refused);
    expect((await back.take({ name: "PUBACK", id: 8 })).code).toBe(refused);
    await again.expectNothing(300, "PUBLISH");
  });
});

describe("what is refused", () => {
  it("a replay: at once, by another connection, over WebSocket and HTTP, to another topic, after SIGKILL", async () => {
    const topic = newTopic();
    const client = await connect(sensor);
    const signature = await signer.sign(topic, "x");
    expect((await publish(client, topic, "x", signature)).code).toBeLessThan(0x80);
    for (const phase of ["at once", "after SIGKILL"]) {
      const clients = [
        phase === "at once" ? client : await connect(sensor),
        await connect(sensor),
        await RawClient.connect(shared.server.webSocket, as(sensor)),
      ];
      for (const one of clients) {
        const answer = await publish(one, topic, "x", signature);
        expect([answer.code, why(answer)]).toEqual([refused, expect.stringMatching(/^sig\.replay: /)]);
        const elsewhere = await publish(one, newTopic(), "x", signature);
        expect([elsewhere.code, why(elsewhere)]).toEqual([refused, expect.stringMatching(/^sig\.bad: /)]);
      }
      const [status, problem] = await post(sensor, topic, "x", signature);
      expect([status, problem]).toEqual([409, expect.stringContaining("sig.replay")]);
      if (phase === "after SIGKILL") break;
      await shared.server.kill();
      await shared.server.start();
    }
  });

  it("what HTTP took, over MQTT", async () => {
    const topic = newTopic();
    const signature = await signer.sign(topic, "x");
    expect((await post(sensor, topic, "x", signature))[0]).toBe(201);
    const answer = await publish(await connect(sensor), topic, "x", signature);
    expect([answer.code, why(answer)]).toEqual([refused, expect.stringMatching(/^sig\.replay/)]);
  });

  it("another payload, other properties, the key of another principal, and one that was removed", async () => {
    const topic = `open/${unique()}`;
    const client = await connect(sensor);
    const signature = await signer.sign(topic, "x");
    const attempts: Promise<Packet>[] = [
      publish(client, topic, "y", signature),
      publishWith(client, topic, "x", [
        ["mess-signature", signature],
        ["a", "b"],
      ]),
      publish(client, topic, "x", await otherSigner.sign(topic, "x")),
      publish(client, topic, "x", await signer.sign(topic, "x", { kid: otherSigner.kid })),
    ];
    for (const attempt of attempts)
      expect([(await attempt).code, why(await attempt)]).toEqual([refused, expect.stringMatching(/^sig\.bad/)]);
    expect((await post(sensor, topic, "y", signature))[0]).toBe(403);
    const removed = await createSigner(shared.server, "sensor");
    expect((await messAt(shared.server, ["signing-key", "remove", removed.kid, "--yes"])).code).toBe(0);
    expect(why(await publish(client, topic, "x", await removed.sign(topic, "x")))).toMatch(/^sig\.bad/);
  });

  it("what is older or newer than five minutes", async () => {
    const topic = `open/${unique()}`;
    const client = await connect(sensor);
    const now = Math.floor(Date.now() / 1_000);
    for (const [away, code] of [
      [-310, refused],
      [-290, 0x10],
      [290, 0x10],
      [310, refused],
      [600, refused],
    ] as const) {
      const answer = await publish(client, topic, "x", await signer.sign(topic, "x", { iat: now + away }));
      expect([away, answer.code]).toEqual([away, code]);
      if (code === refused) expect(why(answer)).toMatch(/^sig\.stale/);
    }
  });

  it("what is not signed where it has to be: over MQTT 5, 3.1.1, HTTP, as will, retained or not, of each QoS", async () => {
    const topic = newTopic();
    const watcher = await connect(other);
    await watcher.subscribe({ filter: topic, qos: 2 });
    const client = await connect(sensor);
    for (const qos of [1, 2] as const) {
      const answer = await client.publish({ topic, payload: "x", qos });
      expect([answer?.code, answer && why(answer)]).toEqual([refused, expect.stringMatching(/^sig\.required/)]);
    }
    await client.publish({ topic, payload: "x", qos: 0 });
    expect((await client.refused([refused]))?.code).toBe(refused);
    const old = await connect(sensor, { version: 4 });
    await expect(old.publish({ topic, payload: "x", qos: 1 })).rejects.toThrow("closed");
    const [status, problem] = await post(sensor, topic, "x");
    expect([status, problem]).toEqual([403, expect.stringContaining("sig.required")]);
    const willing = await RawClient.open(shared.server.mqtt);
    willing.send(build.connect(as(sensor, { will: { topic, payload: "x" } })));
    expect((await willing.refused([refused]))?.code).toBe(refused);
    await watcher.expectNothing(200, "PUBLISH");
  });

  it("is audited and counted by its reason", async () => {
    const { id, secret } = shared.server.admin;
    const { text: metrics } = await ask(shared.server, "/metrics", { key: `${id}.${secret}` });
    expect(metrics).toMatch(/mess_signature_refusals_total\{problem="sig\.required"\} [1-9]/);
    expect(shared.server.stderr).toMatch(/"msg":"sig\.bad"|sig\.bad/);
    expect(shared.server.stderr).not.toMatch(/"d":|"k":/);
  });
});

describe("by the command line", () => {
  it("signs what it publishes, and prints only what one of the keys signed", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mess-signed-"));
    try {
      const [own, keys] = [join(directory, "admin.jwk"), join(directory, "keys.json")];
      const ok = async (...words: string[]): Promise<string> => {
        const { code, stdout, stderr } = await messAt(shared.server, words);
        expect([words[0], code, stderr]).toEqual([words[0], 0, expect.any(String)]);
        return stdout;
      };
      await ok("signing-key", "add", "admin", "--out", own);
      writeFileSync(keys, await ok("signing-key", "list", "--jwks"));
      const [signed, unsigned] = [newTopic(), `open/${unique()}`];
      await ok("pub", signed, "hello", "--retain", "--sign-key", own, "--header", "unit=C");
      await ok("pub", unsigned, "forged", "--retain");
      const words = ["--verify", keys, "-t", "10s", "--quiet"];
      expect(await ok("sub", signed, "--limit", "1", ...words)).toBe("hello\n");
      const { code, stdout, stderr } = await messAt(shared.server, ["sub", unsigned, "--verify", keys, "-t", "1s"]);
      expect({ code, stdout }).toEqual({ code: 77, stdout: "" });
      expect(stderr).toContain("the message is not signed");
      const refusedUnsigned = await messAt(shared.server, ["pub", signed, "x"]);
      expect([refusedUnsigned.code, refusedUnsigned.stderr]).toEqual([77, expect.stringContaining("sig.required")]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe("time", () => {
  it("a replay after 299 s, after two hours, and with the clock set back by an hour", async () => {
    const clock = new TestClock({ seed: 1, startAt: Date.UTC(2026, 0, 1) });
    await using broker = await Broker.open(
      {
        memory: true,
        log: "silent",
        policy: {
          roles: { device: { allow: [{ publish: "#" }, { subscribe: "#" }] } },
          principals: { sensor: { roles: ["device"] } },
          topics: { "signed/#": { signing: "required" } },
        },
      },
      clock.host,
    );
    const { id, secret = "" } = await broker.administrator.signingKeys.addSigningKey("admin", {
      principal: "sensor",
      name: "",
      algorithm: "HS256",
    });
    const signing = new Signer({ kid: id, alg: "HS256", k: secret });
    await using client = await broker.connectMqtt("sensor");
    const seconds = (): number => Math.floor(clock.now() / 1_000);
    const send = async (signature: string): Promise<string> => {
      const userProperties = [["mess-signature", signature] as const];
      try {
        await client.publish("signed/a", "x", { qos: 1, properties: { userProperties } });
        return "taken";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const sign = (iat = seconds()): Promise<string> => signing.sign("signed/a", "x", { iat });
    const first = await sign();
    expect(await send(first)).toBe("taken");
    expect(await send(first)).toContain("sig.replay");
    await clock.advance("299s");
    expect(await send(first)).toContain("sig.replay");
    expect(await send(await sign())).toBe("taken");
    await clock.advance("2h");
    expect(await send(first)).toContain("sig.stale");
    expect(await send(await sign())).toBe("taken");
    clock.jump(-7_200_000 - 299_000);
    expect(await send(first)).toMatch(/sig\.(stale|replay)/);
    clock.jump(-3_600_000);
    expect(await send(first)).toMatch(/sig\.(stale|replay)/);
    expect(await send(await sign(seconds() + 600))).toContain("sig.stale");
  });
});
