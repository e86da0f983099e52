/** What `pub` and `sub` say for queues over MQTT, against a small server. */
import { Readable } from "node:stream";
import { type Packet, PacketType, type PublishPacket } from "@mess/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestServer, type TestServerOptions } from "../../client/src/test-server.test-data.ts";
import { runMess, type TestIoOptions, type TestRun } from "./test-io.test-data.ts";

let server: TestServer;
let url: string;

async function start(options: TestServerOptions = {}): Promise<void> {
  server = new TestServer(options);
  url = await server.listen();
}

async function restart(options: TestServerOptions): Promise<void> {
  await server.close();
  await start(options);
}

beforeEach(() => start());
afterEach(() => server.close());

function mess(words: readonly string[], options: Partial<TestIoOptions> = {}): Promise<TestRun> {
  return runMess(words, { cwd: "/nonexistent", ...options, env: { MESS_URL: url, ...options.env } });
}

function published(): readonly PublishPacket[] {
  return server.connection.received.flatMap((packet) => (packet.type === PacketType.PUBLISH ? [packet] : []));
}

const ofPublish = (packet: Packet): readonly unknown[] => {
  if (packet.type !== PacketType.PUBLISH) return [];
  return [packet.topic, Buffer.from(packet.payload).toString(), packet.properties?.userProperties ?? []];
};

describe("pub", () => {
  it("says key, id, delay, priority, expiry and headers in the broker's words", async () => {
    const words = ["pub", "t", "x", "--key", "c1", "--id", "o7", "--delay", "90s", "--priority", "9", "--expiry", "1h"];
    expect(await mess([...words, "-H", "a=1"])).toMatchObject({ code: 0 });
    expect(published()[0]?.properties).toEqual({
      userProperties: [
        ["a", "1"],
        ["mess-key", "c1"],
        ["mess-id", "o7"],
        ["mess-delay", "90000"],
        ["mess-priority", "9"],
      ],
      messageExpiryInterval: 3600,
    });
    expect(server.connection.connect?.properties?.userProperties).toEqual([["mess-meta", "1"]]);
  });

  it("takes a time with any zone, and a number of seconds as expiry", async () => {
    await mess(["pub", "t", "x", "--at", "2030-01-31T13:00:00+01:00", "--expiry", "60"]);
    expect(published()[0]?.properties).toEqual({
      userProperties: [["mess-at", "2030-01-31T12:00:00.000Z"]],
      messageExpiryInterval: 60,
    });
  });

  it("tells where the message is, and that it was published before", async () => {
    let duplicate = false;
    await restart({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        const userProperties: [string, string][] = [["mess-offset", "41"]];
        if (duplicate) userProperties.push(["mess-duplicate", "1"]);
        const packetId = packet.packetId ?? 0;
        connection.send({ type: PacketType.PUBACK, packetId, reasonCode: 0, properties: { userProperties } });
        return true;
      },
    });
    expect((await mess(["pub", "t", "x"])).out).toMatch(/^durable at offset 41 \(.* ms\)\n$/u);
    duplicate = true;
    expect((await mess(["pub", "t", "x", "--id", "a"])).out).toMatch(
      /^durable at offset 41 \(.* ms\), published before\n$/u,
    );
    expect(JSON.parse((await mess(["pub", "t", "x", "--json"])).out)).toMatchObject({ offset: 41, repeated: 1 });
  });

  it("gives each of many messages an id of its own", async () => {
    await mess(["pub", "t", "x", "--id", "run", "--count", "2"]);
    expect(published().map(ofPublish)).toEqual([
      ["t", "x", [["mess-id", "run:1"]]],
      ["t", "x", [["mess-id", "run:2"]]],
    ]);
  });

  it("publishes what each line of a batch describes", async () => {
    const lines = [
      { topic: "a", payload: "text", key: "k", priority: 0, headers: { h: ["1", "2"], g: "3" } },
      { json: { id: 7 }, id: "own", delay: "PT1M30S", expiry: "PT1H", retain: true },
      { payloadBase64: "/wA=", at: "2030-01-31T12:00:00Z", contentType: "x/y" },
      { delay: 250 },
    ];
    const stdin = `${lines.map((line) => JSON.stringify(line)).join("\n\n")}\n`;
    const { code, out } = await mess(["pub", "t", "--batch", "--id", "run"], { stdin });
    expect(code).toBe(0);
    expect(out).toMatch(/^durable 4 messages \(/u);
    expect(published().map(({ topic, retain, properties }) => ({ topic, retain, ...properties }))).toEqual([
      {
        topic: "a",
        retain: false,
        userProperties: [
          ["h", "1"],
          ["h", "2"],
          ["g", "3"],
          ["mess-key", "k"],
          ["mess-id", "run:1"],
          ["mess-priority", "0"],
        ],
      },
      {
        topic: "t",
        retain: true,
        contentType: "application/json",
        messageExpiryInterval: 3600,
        userProperties: [
          ["mess-id", "own"],
          ["mess-delay", "90000"],
        ],
      },
      {
        topic: "t",
        retain: false,
        contentType: "x/y",
        userProperties: [
          ["mess-id", "run:5"],
          ["mess-at", "2030-01-31T12:00:00.000Z"],
        ],
      },
      {
        topic: "t",
        retain: false,
        userProperties: [
          ["mess-id", "run:7"],
          ["mess-delay", "250"],
        ],
      },
    ]);
    expect(published().map(({ payload }) => Buffer.from(payload).toString("latin1"))).toEqual([
      "text",
      '{"id":7}',
      "\u00ff\0",
      "",
    ]);
  });

  it.each([
    ["{", /line 3: it is not JSON/u],
    ["[1]", /line 3: it is not a JSON object/u],
    ['{"topicc":"x"}', /line 3: "topicc" is not known/u],
    ['{"payload":7}', /line 3: payload must be a text/u],
    ['{"payload":"a","json":1}', /line 3: payload and json exclude each other/u],
    ['{"payloadBase64":"a b"}', /line 3: payloadBase64 is not base64/u],
    ['{"json":12345678901234567}', /line 3: json holds a number of more than 15 digits/u],
    ['{"priority":10}', /line 3: priority must be a whole number from 0 to 9/u],
    ['{"delay":1,"at":"2030-01-31T12:00:00Z"}', /line 3: delay and at exclude each other/u],
    ['{"delay":"P1M"}', /line 3: "P1M" is not a duration/u],
    ['{"at":"tomorrow"}', /line 3: "tomorrow" is not a time/u],
    ['{"expiry":0}', /line 3: expiry must be a second or more/u],
    ['{"retain":1}', /line 3: retain must be true or false/u],
    ['{"headers":{"mess-key":"x"}}', /line 3: headers: "mess-key"/u],
    ['{"headers":{"a":1}}', /line 3: headers: "a" must be a text/u],
  ])("names the line %s of a batch, and publishes what came before it", async (line, message) => {
    const { code, out, err } = await mess(["pub", "t", "--batch"], {
      stdin: `{"payload":"x"}\n{"json":"12345678901234567"}\n${line}\n`,
    });
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(message);
    expect(err).toContain("(2 messages are published)");
    expect(published()).toHaveLength(2);
  });

  it("names the line that the server refuses", async () => {
    await restart({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH || packet.topic !== "full") return false;
        const properties = { reasonString: 'the subscription "billing" is full' };
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0x97, properties });
        return true;
      },
    });
    const stdin = '{"topic":"a"}\n{"topic":"full"}\n{"topic":"b"}\n';
    const { code, err } = await mess(["pub", "--batch"], { stdin });
    expect(code).toBe(74);
    expect(err).toMatch(
      /^mess: line 2: .*the subscription "billing" is full.*\([12] messages? (is|are) published\)\n/u,
    );
  });

  it("keeps large payloads within what may wait, and shows progress on a terminal", async () => {
    const line = Buffer.concat([Buffer.alloc(100_000, "x"), Buffer.from("\n")]);
    let drawn = "";
    const stdin = Readable.from(
      (async function* () {
        for (let i = 0; i < 300; i++) {
          if (i % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 110));
          yield line;
        }
      })(),
    );
    const { testIo } = await import("./test-io.test-data.ts");
    const { run } = await import("./run.ts");
    const { io, out, err } = testIo({ stdin, cwd: "/nonexistent", env: { MESS_URL: url } });
    const stderr = Object.assign(io.stderr, { isTTY: true });
    const code = await run(["pub", "t", "--lines"], { ...io, stderr }, "1.2.3");
    drawn = err().toString();
    expect(code).toBe(0);
    expect(out().toString()).toMatch(/^durable 300 messages/u);
    expect(drawn).toMatch(/\rpublished \d+, [\d,]+\/s/u);
    expect(drawn.endsWith("\r\u001b[K")).toBe(true);
  });

  it.each([
    [["pub", "--batch", "--key", "k"], /each line says/u],
    [["pub", "--batch", "--retain"], /each line says/u],
    [["pub", "--batch", "--lines"], /exclude each other/u],
    [["pub", "t", "x", "--batch"], /leave the payload out/u],
    [["pub", "t", "--batch", "--count", "2"], /exclude each other/u],
    [["pub", "t", "x", "--atomic"], /--atomic needs/u],
    [["pub", "t", "x", "--delay", "1s", "--at", "2030-01-31T12:00:00Z"], /cannot be used with/u],
    [["pub", "t", "x", "--at", "2030-02-30"], /not a time/u],
    [["pub", "t", "x", "--priority", "10"], /from 0 to 9/u],
    [["pub", "t", "x", "--expiry", "500ms"], /a second or more/u],
    [["pub", "t", "x", "-H", "mess-key=1"], /the broker's[\s\S]*--key/u],
    [["pub", "t", "x", "--key", "k_1.mess_0123456789abcdefghijkl"], /--key-file/u],
    [["pub", "t", "x", "--protocol", "4", "--key", "k"], /need MQTT 5/u],
    [["sub"], /what to subscribe to is missing/u],
    [["sub", "a", "--queue", "b"], /filters of its own/u],
    [["sub", "--queue", "a/b"], /not the name/u],
    [["sub", "--queue", "b", "--from", "earliest"], /subscription reset b --to earliest/u],
    [["sub", "a", "--nack"], /need --queue/u],
    [["sub", "--queue", "b", "--nack", "--reject"], /cannot be used with/u],
    [["sub", "--queue", "b", "--session", "s"], /cannot be used with/u],
    [["sub", "a", "--from", "now"], /not a place/u],
    [["sub", "a", "--from", "1", "--protocol", "4"], /needs MQTT 5/u],
    [["sub", "--queue", "b", "--nack", "--protocol", "4"], /need MQTT 5/u],
  ])("exits 64 for %j", async (words, message) => {
    const { code, out, err } = await mess(words);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(message);
    expect(server.connections).toEqual([]);
  });
});

describe("sub", () => {
  const subscribes = (): readonly Packet[] =>
    server.connections.flatMap(({ received }) => received.filter(({ type }) => type === PacketType.SUBSCRIBE));
  const subscribed = (): Promise<void> => vi.waitFor(() => expect(subscribes()).toHaveLength(1));
  const deliver = (offset: number): void => {
    server.connection.send({
      type: PacketType.PUBLISH,
      topic: "$mess/queue/billing/orders/1",
      payload: Buffer.from(`{"n":${offset}}`),
      qos: 1,
      retain: false,
      dup: false,
      packetId: offset,
      properties: {
        userProperties: [
          ["own", "x"],
          ["mess-offset", String(offset)],
          ["mess-attempt", "2"],
          ["mess-key", "17"],
          ["mess-time", "2026-01-31T12:00:00.000Z"],
        ],
      },
    });
  };
  const acks = (): readonly unknown[] =>
    server.connection.received.flatMap((packet) => {
      return packet.type === PacketType.PUBACK ? [[packet.packetId, packet.reasonCode]] : [];
    });
  const ended = (): Promise<void> =>
    vi.waitFor(() => expect(server.connection.received.at(-1)?.type).toBe(PacketType.DISCONNECT));

  it("--queue consumes: prints the messages under their own topics, acknowledges each, takes no more than it prints", async () => {
    const run = mess(["sub", "--queue", "billing", "-v", "--limit", "2"]);
    await subscribed();
    deliver(1);
    deliver(2);
    expect(await run).toEqual({
      code: 0,
      out: 'orders/1 {"n":1}\norders/1 {"n":2}\n',
      err: "consuming from billing\n",
    });
    await ended();
    expect(acks()).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(subscribes()[0]).toMatchObject({
      subscriptions: [{ filter: "$mess/queue/billing/#", qos: 1 }],
      properties: { userProperties: [["mess-credit", "2"]] },
    });
  });

  it("--json lifts what the server says of a message", async () => {
    const run = mess(["sub", "--queue", "billing", "--json", "--limit", "1", "--quiet"]);
    await subscribed();
    deliver(41);
    expect(JSON.parse((await run).out)).toEqual({
      topic: "orders/1",
      payload: { n: 41 },
      encoding: "json",
      qos: 1,
      retain: false,
      duplicate: false,
      offset: 41,
      attempt: 2,
      // A key is a text, whatever it looks like.
      key: "17",
      time: "2026-01-31T12:00:00.000Z",
      properties: { userProperties: [["own", "x"]] },
    });
  });

  it.each([
    ["--nack", [[1, 0x80]]],
    ["--reject", [[1, 0x99]]],
    ["--no-ack", []],
  ])("%s settles accordingly", async (flag, expected) => {
    const run = mess(["sub", "--queue", "billing", flag, "--limit", "1"]);
    await subscribed();
    deliver(1);
    await run;
    await ended();
    expect(acks()).toEqual(expected);
  });

  it("--from replays: places as the server takes them", async () => {
    const before = Date.now() - 3_600_000;
    await mess(["sub", "a/#", "--from", "-1h", "--timeout", "20ms"]);
    const [packet] = subscribes();
    const [[name, place = ""] = []] =
      (packet?.type === PacketType.SUBSCRIBE && packet.properties?.userProperties) || [];
    expect(name).toBe("mess-from");
    expect(Date.parse(place)).toBeGreaterThanOrEqual(before);
    await restart({});
    expect(await mess(["sub", "a/#", "--from", "4711", "--timeout", "20ms"])).toMatchObject({
      code: 0,
      err: "subscribed to a/# from 4711\n",
    });
    expect(subscribes()[0]).toMatchObject({ properties: { userProperties: [["mess-from", "4711"]] } });
  });

  it.each([
    [0x87, 77, /not granted[\s\S]*mess why PRINCIPAL consume billing/u],
    [0x83, 64, /not granted[\s\S]*mess subscription ls/u],
  ])("says why the server refuses to let it consume (0x%s)", async (code, exitCode, message) => {
    await restart({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.SUBSCRIBE) return false;
        const properties = { reasonString: "consume is not granted" };
        connection.send({ type: PacketType.SUBACK, packetId: packet.packetId, reasonCodes: [code], properties });
        return true;
      },
    });
    const run = await mess(["sub", "--queue", "billing"]);
    expect(run).toMatchObject({ code: exitCode, out: "" });
    expect(run.err).toMatch(message);
  });
});
