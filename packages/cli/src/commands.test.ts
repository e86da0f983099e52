/** The commands that speak MQTT, run as a user would, against a small server. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { PacketType } from "@mess/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { testCertificates } from "../../client/src/test-certificates.test-data.ts";
import { TestServer, type TestServerOptions } from "../../client/src/test-server.test-data.ts";
import { runMess, type TestIoOptions, type TestRun, withDirectory } from "./test-io.test-data.ts";

let server: TestServer;
let url: string;

async function start(options: TestServerOptions = {}): Promise<void> {
  server = new TestServer(options);
  url = await server.listen();
}

beforeEach(() => start());
afterEach(() => server.close());

function mess(words: readonly string[], options: Partial<TestIoOptions> = {}): Promise<TestRun> {
  return runMess(words, { cwd: "/nonexistent", ...options, env: { MESS_URL: url, ...options.env } });
}

const subscribed = (): Promise<void> =>
  vi.waitFor(() => expect(server.connections.flatMap(({ subscriptions }) => subscriptions).length).toBeGreaterThan(0));

describe("pub", () => {
  it("publishes its argument at QoS 1 and says how long it took", async () => {
    const { code, out, err } = await mess(["pub", "a/b", "hello"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^durable \(\d+(\.\d)? ms\)\n$/u);
    const publish = server.connection.received.find(({ type }) => type === PacketType.PUBLISH);
    expect(publish).toMatchObject({ topic: "a/b", qos: 1, retain: false });
  });

  it.each([["-"], []])("reads the payload from stdin (%j)", async (...payload) => {
    await mess(["pub", "a/b", ...payload], { stdin: new Uint8Array([0, 255, 10]) });
    const publish = server.connection.received.find((packet) => packet.type === PacketType.PUBLISH);
    expect(publish?.type === PacketType.PUBLISH && [...publish.payload]).toEqual([0, 255, 10]);
  });

  it("sends properties, retained, at the QoS asked for", async () => {
    await mess([
      "pub",
      "t",
      "-q",
      "2",
      "-r",
      "-H",
      "a=1",
      "-H",
      "a=b=c",
      "--content-type",
      "text/plain",
      "--expiry",
      "60",
      "--",
      "-payload",
    ]);
    expect(server.connection.received.find(({ type }) => type === PacketType.PUBLISH)).toMatchObject({
      qos: 2,
      retain: true,
      properties: {
        userProperties: [
          ["a", "1"],
          ["a", "b=c"],
        ],
        contentType: "text/plain",
        messageExpiryInterval: 60,
      },
    });
  });

  it("publishes each line of stdin, over any split of the bytes", async () => {
    const stdin = Readable.from(["on", "e\r\ntw", "o\n\nlast"].map((text) => Buffer.from(text)));
    const { out } = await mess(["pub", "t", "--lines", "--json"], { stdin });
    expect(JSON.parse(out)).toMatchObject({ topic: "t", qos: 1, published: 4, unread: 0 });
    const texts = server.connection.received.flatMap((packet) =>
      packet.type === PacketType.PUBLISH ? [Buffer.from(packet.payload).toString()] : [],
    );
    expect(texts).toEqual(["one", "two", "", "last"]);
  });

  it("repeats with --count, and promises nothing at QoS 0", async () => {
    const { out } = await mess(["pub", "t", "x", "--count", "2500", "--qos", "0"]);
    expect(out).toMatch(/^sent 2,500 messages \(/u);
  });

  it("exits 77 when it may not, with the reason and the way to learn more", async () => {
    await server.close();
    await start({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0x87 });
        return true;
      },
    });
    const { code, out, err } = await mess(["pub", "t", "x"]);
    expect({ code, out }).toEqual({ code: 77, out: "" });
    expect(err).toMatch(/^mess: the message was refused: Not authorized \(0x87\)\n.*mess why/u);
  });

  it("tells 0x10 in words", async () => {
    await server.close();
    await start({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0x10 });
        return true;
      },
    });
    expect((await mess(["pub", "t", "x"])).out).toMatch(/, nobody subscribes yet\n$/u);
  });

  it.each([
    [["pub"], /the topic is missing/u],
    [["pub", "t", "x", "--qos", "3"], /--qos must be a whole number from 0 to 2/u],
    [["pub", "t", "x", "--retian"], /Did you mean --retain/u],
    [["pub", "t/#", "x"], /holds a wildcard/u],
    [["pub", "t", "x", "-H", "novalue"], /not name=value/u],
    [["pub", "t", "x", "--lines"], /--lines reads stdin/u],
    [["pub", "t", "x", "--protocol", "4", "-H", "a=b"], /need MQTT 5/u],
    [["nonsense"], /unknown command/u],
    [[], /Usage: mess/u],
  ])("exits 64 for %j", async (words, message) => {
    const { code, out, err } = await mess(words);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(message);
  });

  it("exits 69 when the server is not there", async () => {
    await server.close();
    const { code, err } = await mess(["pub", "t", "x"]);
    expect(code).toBe(69);
    expect(err).toMatch(/ECONNREFUSED[\s\S]*nothing listens there/u);
    await start();
  });
});

describe("sub", () => {
  it("prints payloads, with --verbose topics, and ends at --limit", async () => {
    const run = mess(["sub", "a/+", "b", "-v", "--limit", "2"]);
    await subscribed();
    await mess(["pub", "a/x", "one"]);
    await mess(["pub", "b", "two"]);
    expect(await run).toEqual({ code: 0, out: "a/x one\nb two\n", err: "subscribed to a/+ b\n" });
  });

  it("prints an object a line with --json", async () => {
    const run = mess(["sub", "#", "--json", "--limit", "4", "--quiet"]);
    await subscribed();
    await mess(["pub", "t", '{"celsius":21.5}', "-H", "k=v"]);
    await mess(["pub", "t", "007"]);
    await mess(["pub", "t"], { stdin: new Uint8Array([0xff, 0]) });
    await mess(["pub", "t", "{not json"]);
    const { code, out, err } = await run;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const common = { topic: "t", qos: 1, retain: false, duplicate: false };
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { ...common, payload: { celsius: 21.5 }, encoding: "json", properties: { userProperties: [["k", "v"]] } },
      { ...common, payload: "007", encoding: "utf8" },
      { ...common, payload: "/wA=", encoding: "base64" },
      { ...common, payload: "{not json", encoding: "utf8" },
    ]);
  });

  it("acknowledges every message it printed before it ends", async () => {
    const run = mess(["sub", "t", "--limit", "3"]);
    await subscribed();
    await mess(["pub", "t", "x", "--count", "3"]);
    await run;
    await vi.waitFor(() => expect(server.connection.received.at(-1)?.type).toBe(PacketType.DISCONNECT));
    expect(server.connection.received.filter(({ type }) => type === PacketType.PUBACK).length).toBe(3);
  });

  it("keeps a session when asked", async () => {
    await mess(["sub", "t", "--session", "worker", "--session-expiry", "1h", "--timeout", "0.1"]);
    expect(server.connection.connect).toMatchObject({
      clientId: "worker",
      cleanStart: false,
      properties: { sessionExpiryInterval: 3600 },
    });
  });

  it("ends at --timeout: with 0, or with 69 when --limit was not reached", async () => {
    expect(await mess(["sub", "t", "--timeout", "50ms", "--quiet"])).toEqual({ code: 0, out: "", err: "" });
    const { code, err } = await mess(["sub", "t", "--timeout", "50ms", "--limit", "1", "--quiet"]);
    expect(code).toBe(69);
    expect(err).toContain("0 of 1 messages came");
  });

  it("exits 130 when interrupted, having said goodbye", async () => {
    const controller = new AbortController();
    const run = mess(["sub", "t"], { interrupt: controller.signal });
    await subscribed();
    controller.abort();
    expect(await run).toMatchObject({ code: 130, out: "" });
    expect(server.connection.received.at(-1)).toMatchObject({ type: PacketType.DISCONNECT, reasonCode: 0 });
  });

  it("exits 69 when the server goes away", async () => {
    const run = mess(["sub", "t"]);
    await subscribed();
    server.connection.socket.destroy();
    expect(await run).toMatchObject({ code: 69 });
  });

  it("exits 77 when a filter is refused", async () => {
    await server.close();
    await start({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.SUBSCRIBE) return false;
        connection.send({ type: PacketType.SUBACK, packetId: packet.packetId, reasonCodes: [1, 0x87] });
        return true;
      },
    });
    const { code, err } = await mess(["sub", "a", "secret/#"]);
    expect(code).toBe(77);
    expect(err).toContain('"secret/#" (0x87)');
  });
});

describe("bench", () => {
  it("counts what was sent, lost and repeated", async () => {
    const words = [
      "bench",
      "--publishers",
      "2",
      "--subscribers",
      "2",
      "--topics",
      "3",
      "--duration",
      "200ms",
      "--size",
      "100",
      "--window",
      "10",
      "--json",
    ];
    const { code, out } = await mess(words);
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, failed: 0, publishers: 2, subscribers: 2 });
    expect(result.sent).toBeGreaterThan(10);
    expect(result.received).toBe(result.sent * 2);
    expect(result.delivery.count).toBe(result.received);
    expect(result.acknowledgement.p50).toBeLessThanOrEqual(result.acknowledgement.p999);
  });

  it("keeps to --rate", async () => {
    const { out } = await mess(["bench", "--rate", "200", "--duration", "500ms", "--json", "--qos", "0"]);
    expect(JSON.parse(out).sent).toBeGreaterThanOrEqual(60);
    expect(JSON.parse(out).sent).toBeLessThanOrEqual(101);
  });

  it("counts a stall against the messages that were due in it, although they were sent after it", async () => {
    await server.close();
    let stalled = false;
    await start({
      intercept: (packet) => {
        if (packet.type !== PacketType.PUBLISH || stalled) return false;
        stalled = true;
        // Server and bench share this process: while it is busy, nothing can be sent.
        for (const until = performance.now() + 400; performance.now() < until; );
        return false;
      },
    });
    const { out } = await mess(["bench", "--rate", "100", "--duration", "500ms", "--subscribers", "0", "--json"]);
    const { acknowledgement, sent } = JSON.parse(out);
    expect(sent).toBeGreaterThanOrEqual(30);
    // About 40 of 50 were due in the stall, evenly: half of all waited longer than about 150 ms.
    expect(acknowledgement.p50).toBeGreaterThan(80);
  });

  it("tells lost and repeated messages", async () => {
    await server.close();
    let seen = 0;
    await start({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.PUBLISH) return false;
        seen += 1;
        if (seen === 3) {
          connection.send({ type: PacketType.PUBACK, packetId: packet.packetId ?? 0, reasonCode: 0 });
          return true;
        }
        if (seen === 5) for (const receiver of server.connections) receiver.deliver(packet);
        return false;
      },
    });
    const { out } = await mess(["bench", "--duration", "100ms", "--window", "1", "--drain", "200ms", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ lost: 1, duplicated: 1 });
  });

  it("prints the same for people", async () => {
    const { out } = await mess(["bench", "--duration", "100ms"]);
    expect(out).toMatch(
      /^QoS 1, 128 bytes, 1 publishing[\s\S]*lost 0, duplicated 0[\s\S]*\nacknowledged {2}p50 .*p99\.9 /u,
    );
  });
});

describe("pair", () => {
  it("remembers a server by its pinned CA and a key from stdin, and the other commands find it", () =>
    withDirectory(async (cwd) => {
      const { ca, key, cert } = await testCertificates(["127.0.0.1"]);
      await server.close();
      await start({ tls: { key, cert } });
      await writeFile(join(cwd, "ca.pem"), ca);
      const run = (words: readonly string[], stdin = ""): Promise<TestRun> => runMess(words, { cwd, stdin });
      const paired = await run(["pair", "--url", url, "--ca", "ca.pem"], "k_1.hidden-words\n");
      expect(paired).toMatchObject({ code: 0, out: "" });
      expect(paired.err).not.toContain("hidden-words");
      const path = join(cwd, ".config", "mess", "contexts", "default.json");
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({
        url,
        ca,
        key: "k_1.hidden-words",
        httpUrl: "https://127.0.0.1:8443",
      });
      expect(await run(["pub", "t", "x"])).toMatchObject({ code: 0 });
      expect(server.connections.at(-1)?.connect).toMatchObject({ username: "k_1" });
      expect(Buffer.from(server.connections.at(-1)?.connect?.password ?? []).toString()).toBe("hidden-words");
    }));

  it("pins by fingerprint, and refuses another one", () =>
    withDirectory(async (cwd) => {
      const { X509Certificate } = await import("node:crypto");
      const { ca, key, cert } = await testCertificates(["127.0.0.1"]);
      await server.close();
      await start({ tls: { key, cert } });
      const fingerprint = new X509Certificate(ca).fingerprint256;
      const run = (pin: string): Promise<TestRun> =>
        runMess(["pair", "--url", url, "--ca-sha256", pin, "--json"], { cwd, stdin: "k.s" });
      const good = await run(fingerprint);
      expect(good).toMatchObject({ code: 0, err: "" });
      expect(JSON.parse(good.out)).toMatchObject({ context: "default", keyId: "k" });
      expect(await run(fingerprint.replace(/^../u, "00"))).toMatchObject({
        code: 78,
        err: expect.stringContaining("no certificate with that fingerprint"),
      });
      expect(await run("12:34")).toMatchObject({ code: 64 });
    }));

  it("writes nothing when the key is refused", () =>
    withDirectory(async (cwd) => {
      await server.close();
      await start({ connack: () => ({ sessionPresent: false, reasonCode: 0x86 }) });
      expect(await runMess(["pair", "--url", url], { cwd, stdin: "k.s" })).toMatchObject({ code: 77 });
      await expect(stat(join(cwd, ".config"))).rejects.toThrow();
      expect(await runMess(["pair", "--url", "mqtts://k:s@127.0.0.1"], { cwd })).toMatchObject({ code: 64 });
    }));
});
