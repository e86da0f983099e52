import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../input.test-data.ts";
import { ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";
import { type Consuming, leaseOf, publishedAt, viewOf } from "./queue.test-data.ts";

let door: Door;
let opened: Stream[];
beforeEach(async () => {
  opened = [];
  door = await openDoor();
});
afterEach(async () => {
  for (const stream of opened) stream.outgoing.destroy();
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

function pull(body: unknown = {}, headers: Record<string, string> = {}): Promise<Reply> {
  return ask(door, "/v1/subscriptions/billing/pull", { method: "POST", key: readerKey, body, headers });
}

function consuming(): Consuming {
  return door.queues.consuming.at(-1) as Consuming;
}

async function waiting(count: number = 1): Promise<Consuming> {
  await until(() => door.queues.consuming.length === count);
  return consuming();
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("pull", () => {
  it("answers with what is delivered at once, leased to the caller, and keeps the leases", async () => {
    door.queues.onConsume = (consumer) => {
      for (const offset of [4, 5]) consumer.deliver(viewOf({ payload: `m${offset}` }), leaseOf(offset, { attempt: 2 }));
    };
    const reply = await pull({ max: 2, waitMs: 10_000 });
    expect(reply.status).toBe(200);
    expect(reply.json["messages"]).toEqual(
      [4, 5].map((offset) => ({
        token: `token-${offset}`,
        offset,
        attempt: 2,
        leaseExpiresAt: new Date(publishedAt + 30_000).toISOString(),
        topic: "a/b",
        publisher: "shop",
        time: new Date(publishedAt).toISOString(),
        headers: {},
        payload: `m${offset}`,
      })),
    );
    expect(consuming().request).toEqual({
      principal: "reader",
      keyId: "reader-key",
      subscription: "billing",
      messages: 2,
      bytes: 4 * 1_048_576,
      tokens: true,
    });
    await until(() => consuming().left === "kept");
  });

  it("waits for the first message, then for those that follow closely", async () => {
    const pending = pull({ waitMs: 10_000 });
    const { consumer } = await waiting();
    await sleep(30);
    consumer.deliver(viewOf(), leaseOf(1));
    setImmediate(() => consumer.deliver(viewOf(), leaseOf(2)));
    const reply = await pending;
    expect(reply.json["messages"]).toMatchObject([{ offset: 1 }, { offset: 2 }]);
  });

  it("answers with none when the time is over", async () => {
    const began = performance.now();
    const reply = await pull({ waitMs: 200 });
    expect(reply).toMatchObject({ status: 200, json: { messages: [] } });
    expect(performance.now() - began).toBeGreaterThan(190);
    await until(() => consuming().left === "kept");
    expect((await pull()).json).toEqual({ messages: [] });
  });

  it("needs no body", async () => {
    const reply = await ask(door, "/v1/subscriptions/billing/pull", { method: "POST", key: readerKey });
    expect(reply.status).toBe(200);
    expect(consuming().request.messages).toBe(10);
  });

  it("is full at `max`, and at `maxBytes` with one message more at most", async () => {
    const taken: boolean[] = [];
    door.queues.onConsume = (consumer) => {
      for (let offset = 1; consumer.ready && offset < 9; offset++)
        taken.push(consumer.deliver(viewOf({ payload: "x".repeat(60) }), leaseOf(offset)));
    };
    expect((await pull({ max: 3 })).json["messages"]).toHaveLength(3);
    expect((await pull({ maxBytes: 100 })).json["messages"]).toHaveLength(2);
    expect((await pull({ maxBytes: 1 })).json["messages"]).toHaveLength(1);
    expect(taken).toEqual(Array(6).fill(true));
  });

  it("gives the leases back when the client is gone before the answer", async () => {
    const socket = await rawPull({ waitMs: 20_000 });
    const { consumer } = await waiting();
    socket.destroy();
    await until(() => consuming().left === "given back");
    expect(consumer.ready).toBe(false);
  });

  it("gives the leases back when the answer cannot be written", async () => {
    door.queues.onConsume = (consumer) => {
      // More than the buffers of two sockets take.
      for (let offset = 1; offset <= 40; offset++) {
        consumer.deliver(viewOf({ payload: "x".repeat(1_000_000) }), leaseOf(offset));
      }
    };
    const socket = await rawPull({ max: 100 });
    await until(() => socket.bytesRead > 0);
    socket.pause();
    await sleep(50);
    expect(consuming().left).toBeUndefined();
    socket.destroy();
    await until(() => consuming().left === "given back");
  });

  async function rawPull(body: unknown): Promise<Socket> {
    const socket = connect(door.listening.port, "127.0.0.1");
    const text = JSON.stringify(body);
    const head = `POST /v1/subscriptions/s/pull HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${readerKey}\r\n`;
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    socket.once("data", () => {});
    await until(() => door.queues.consuming.length > 0);
    return socket;
  }

  it.each([
    [0x87, 403, "forbidden"],
    [0x11, 404, "not-found"],
    [0x97, 507, "quota-exceeded"],
    [0x83, 404, "not-found"],
    [0x88, 503, "unavailable"],
  ])("answers the refusal 0x%s", async (reason, status, code) => {
    door.queues.refusal = { reason, text: "because" };
    expect(await pull()).toMatchObject({ status, json: { type: `urn:mess:problem:${code}`, detail: "because" } });
  });

  it.each([
    ["not-authorized", 403],
    ["session-ended", 409],
    ["storage-failed", 503],
    ["shutting-down", 503],
    ["quota", 507],
  ] as const)("answers when the engine ends it: %s", async (reason, status) => {
    const pending = pull({ waitMs: 10_000 });
    const { consumer } = await waiting();
    consumer.deliver(viewOf(), leaseOf(1));
    consumer.end(reason, "because");
    const reply = await pending;
    expect(reply).toMatchObject({ status, json: { detail: "because" } });
    expect(reply.text).not.toContain("token-1");
  });

  it.each([
    [{ max: 0 }, "max"],
    [{ max: 1_001 }, "max"],
    [{ max: 1.5 }, "max"],
    [{ max: "many" }, "max"],
    [{ waitMs: -1 }, "waitMs"],
    [{ waitMs: 30_001 }, "waitMs"],
    [{ maxBytes: 0 }, "maxBytes"],
    [{ maxBytes: 4 * 1_048_576 + 1 }, "maxBytes"],
    [{ wait: 1 }, "wait"],
    [[], ""],
    [null, ""],
  ])("refuses %j at %j", async (body, path) => {
    const reply = await pull(body);
    expect([reply.status, (reply.json["errors"] as { path: string }[])[0]?.path]).toEqual([422, path]);
    expect(door.queues.consuming).toEqual([]);
  });

  it("takes the limits themselves", async () => {
    expect((await pull({ max: 1_000, waitMs: 0, maxBytes: "4MiB" })).status).toBe(200);
  });

  it("is bounded in number by principal", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { httpOpenPerPrincipalMax: 2 } });
    const pending = [pull({ waitMs: 5_000 }), pull({ waitMs: 5_000 })];
    await waiting(2);
    const third = await pull();
    expect(third).toMatchObject({ status: 429, json: { type: "urn:mess:problem:too-many-requests" } });
    for (const { consumer } of door.queues.consuming) consumer.deliver(viewOf(), leaseOf(1));
    expect((await Promise.all(pending)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await pull()).status).toBe(200);
  });
});

interface Stream {
  readonly outgoing: ClientRequest;
  readonly incoming: IncomingMessage;
  text: string;
  ended: boolean;
}

async function stream(path: string, headers: Record<string, string> = {}): Promise<Stream> {
  const outgoing = request({
    host: "127.0.0.1",
    port: door.listening.port,
    path,
    agent: false,
    headers: { authorization: `Bearer ${readerKey}`, ...headers },
  });
  outgoing.on("error", () => {});
  outgoing.end();
  const incoming = await new Promise<IncomingMessage>((resolve) => outgoing.once("response", resolve));
  const result: Stream = { outgoing, incoming, text: "", ended: false };
  opened.push(result);
  incoming.on("error", () => {});
  incoming.on("data", (chunk: Buffer) => (result.text += chunk.toString()));
  incoming.on("end", () => (result.ended = true));
  return result;
}

/** Events of a stream so far: their fields, `data` read. */
function eventsOf({ text }: Stream): { event?: string; id?: string; data: Record<string, unknown> }[] {
  return text
    .split("\n\n")
    .slice(0, -1)
    .filter((block) => /^data: /m.test(block))
    .map((block) => {
      const fields = Object.fromEntries(
        block.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
      );
      return { ...fields, data: JSON.parse(fields["data"] ?? "") as Record<string, unknown> };
    });
}

describe("GET /v1/events", () => {
  it("sends messages with their offset as id, and acknowledges what is on its way", async () => {
    const events = await stream("/v1/events?filter=a%2F%23");
    expect(events.incoming.statusCode).toBe(200);
    expect(events.incoming.headers["content-type"]).toBe("text/event-stream");
    expect(events.incoming.headers["cache-control"]).toBe("no-store");
    expect(events.incoming.headers["ratelimit"]).toBeDefined();
    const session = door.engine.last;
    expect(session.request).toMatchObject({
      principal: "reader",
      keyId: "reader-key",
      cleanStart: true,
      expirySeconds: 0,
    });
    expect(session.subscriptions).toEqual([
      { filter: "a/#", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 2, identifier: 0 },
    ]);
    const packetId = door.engine.deliver(viewOf({ payload: "line\nbreak\r\u2028" }), 17);
    await until(() => eventsOf(events).length === 1);
    expect(eventsOf(events)[0]).toMatchObject({
      id: "17",
      data: { offset: 17, topic: "a/b", payload: "line\nbreak\r\u2028" },
    });
    expect(session.acknowledged).toEqual([packetId]);
    expect(session.settled).toBeGreaterThan(0);
    expect(events.text).toMatch(/^retry: \d+\n\n/);
  });

  it("begins with last values where asked, which have no id", async () => {
    const events = await stream("/v1/events?filter=a&retained");
    expect(door.engine.last.subscriptions[0]).toMatchObject({ retainHandling: 0 });
    door.engine.deliver(viewOf(), 3, true);
    await until(() => eventsOf(events).length === 1);
    expect(eventsOf(events)[0]).toMatchObject({ data: { offset: 3, retain: true } });
    expect(eventsOf(events)[0]).not.toHaveProperty("id");
  });

  it.each([
    ["from=earliest", {}, "earliest"],
    ["from=7", {}, { offset: 7 }],
    ["from=7", { "last-event-id": "41" }, { offset: 42 }],
    ["", { "last-event-id": "41" }, { offset: 42 }],
    ["from=2026-01-01T00:00:00Z", { "last-event-id": "" }, { at: Date.UTC(2026, 0, 1) }],
  ])("%s with %j begins at %j", async (query, headers, from) => {
    await stream(`/v1/events?filter=a&${query}`, headers as Record<string, string>);
    expect(door.engine.last.subscriptions[0]?.from).toEqual(from);
  });

  it("sends QoS 0 without id, and drops it where the client is too slow", async () => {
    const events = await stream("/v1/events?filter=a");
    const { link } = door.engine.last;
    const run = { bytes: Buffer.alloc(0), start: 0, end: 0, count: 1 };
    const source = {
      wireForm: 5,
      eachMessage: (_: unknown, visit: (message: ReturnType<typeof viewOf>) => void) =>
        visit(viewOf({ payload: "live" })),
      slowDown: () => {},
    };
    link.forward(run, source, []);
    await until(() => eventsOf(events).length === 1);
    expect(eventsOf(events)[0]).toMatchObject({ data: { offset: 0, payload: "live" } });
    expect(eventsOf(events)[0]).not.toHaveProperty("id");
  });

  it("holds no more than outboundBytesMax for a client that does not read, and goes on when it does", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { outboundBytesMax: 100_000 } });
    const events = await stream("/v1/events?filter=a");
    events.incoming.pause();
    const session = door.engine.last;
    const message = viewOf({ payload: "x".repeat(10_000) });
    let sent = 0;
    // The engine delivers while the link is ready. Sockets take some megabytes by themselves.
    for (let turn = 0; turn < 5_000 && session.link.ready; turn++) {
      door.engine.deliver(message, ++sent);
      if (turn % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(session.link.ready).toBe(false);
    const { settled } = session;
    events.incoming.resume();
    await until(() => session.link.ready);
    await until(() => eventsOf(events).length === sent);
    expect(session.settled).toBeGreaterThan(settled);
    expect(eventsOf(events).map(({ id }) => Number(id))).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
  });

  it("ends its session when the client is gone", async () => {
    const events = await stream("/v1/events?filter=a");
    const session = door.engine.last;
    events.outgoing.destroy();
    await until(() => session.detached);
    expect(session.link.ready).toBe(false);
  });

  it("says why the broker ends it", async () => {
    const events = await stream("/v1/events?filter=a");
    door.engine.last.link.end("not-authorized", "the key was revoked");
    await until(() => events.ended);
    expect(eventsOf(events)).toEqual([
      { event: "end", data: { reason: "not-authorized", text: "the key was revoked" } },
    ]);
    expect(door.engine.last.detached).toBe(false);
  });

  it.each([
    [0x87, 403],
    [0x8f, 422],
    [0x97, 507],
    [0x83, 409],
    [0x80, 503],
  ])("answers the subscription's refusal 0x%s with a problem, not with a stream", async (code, status) => {
    door.engine.subscribeCode = code;
    door.engine.subscribeText = "because";
    const reply = await ask(door, "/v1/events?filter=a", { key: readerKey });
    expect(reply).toMatchObject({ status, json: { detail: "because" } });
    expect(door.engine.last.detached).toBe(true);
  });

  it("answers the session's refusal, and an end before the beginning", async () => {
    door.engine.refusal = { reason: 0x97, text: "too many sessions" };
    expect((await ask(door, "/v1/events?filter=a", { key: readerKey })).status).toBe(507);
    door.engine.refusal = undefined;
    door.engine.subscribe = (session) => session.link.end("shutting-down", "later");
    expect((await ask(door, "/v1/events?filter=a", { key: readerKey })).status).toBe(503);
  });

  it.each([
    ["/v1/events", {}],
    ["/v1/events?filter=", {}],
    ["/v1/events?filter=a&from=never", {}],
    ["/v1/events?filter=a&from=1&retained", {}],
    ["/v1/events?filter=a&last=1", {}],
    ["/v1/events?filter=%24mess%2Fqueue%2Fbilling%2F%23", {}],
    ["/v1/events?filter=%24share%2Fx%2Fa", {}],
    ["/v1/events?filter=a", { "last-event-id": "x" }],
    ["/v1/events?filter=a", { "last-event-id": "9007199254740991" }],
  ])("refuses %s %j", async (path, headers) => {
    const reply = await ask(door, path, { key: readerKey, headers: headers as Record<string, string> });
    expect(reply).toMatchObject({ status: 400, json: { type: "urn:mess:problem:wrong-parameters" } });
    expect(door.engine.sessions).toEqual([]);
  });

  it("is not opened by pages of other sites, nor by HEAD", async () => {
    const foreign = { "sec-fetch-site": "cross-site" };
    expect((await ask(door, "/v1/events?filter=a", { key: readerKey, headers: foreign })).status).toBe(403);
    const head = await ask(door, "/v1/events?filter=a", { key: readerKey, method: "HEAD" });
    expect([head.status, head.headers.allow]).toEqual([405, "GET"]);
    expect(door.engine.sessions).toEqual([]);
  });

  it("takes one place of its principal, and gives it back", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { httpOpenPerPrincipalMax: 1 } });
    const first = await stream("/v1/events?filter=a");
    expect((await ask(door, "/v1/events?filter=a", { key: readerKey })).status).toBe(429);
    first.outgoing.destroy();
    await until(() => door.engine.last.detached);
    expect((await stream("/v1/events?filter=a")).incoming.statusCode).toBe(200);
  });
});

describe("GET /v1/subscriptions/{name}/events", () => {
  it("sends leased messages with tokens and without id", async () => {
    const events = await stream("/v1/subscriptions/billing/events?credit=5&creditBytes=1MiB");
    expect(consuming().request).toEqual({
      principal: "reader",
      keyId: "reader-key",
      subscription: "billing",
      messages: 5,
      bytes: 1_048_576,
      tokens: true,
    });
    expect(consuming().resumed).toBeGreaterThan(0);
    expect(consuming().consumer.ready).toBe(true);
    consuming().consumer.deliver(viewOf(), leaseOf(8));
    await until(() => eventsOf(events).length === 1);
    expect(eventsOf(events)[0]).toMatchObject({
      event: "message",
      data: { token: "token-8", offset: 8, payload: "hello" },
    });
    expect(eventsOf(events)[0]).not.toHaveProperty("id");
  });

  it("is not ready before there is a response to write to", async () => {
    let ready: boolean | undefined;
    door.queues.onConsume = (consumer) => (ready = consumer.ready);
    await stream("/v1/subscriptions/s/events");
    expect(ready).toBe(false);
  });

  it("gives everything back when the client is gone", async () => {
    const events = await stream("/v1/subscriptions/s/events");
    events.outgoing.destroy();
    await until(() => consuming().left === "given back");
  });

  it("says why the broker ends it, and leaves nothing then", async () => {
    const events = await stream("/v1/subscriptions/s/events");
    consuming().consumer.end("session-ended", "the subscription was deleted");
    await until(() => events.ended);
    expect(eventsOf(events)).toEqual([
      { event: "end", data: { reason: "session-ended", text: "the subscription was deleted" } },
    ]);
    await sleep(20);
    expect(consuming().left).toBeUndefined();
  });

  it("stops at what may wait for a slow client, and resumes", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { outboundBytesMax: 100_000 } });
    const events = await stream("/v1/subscriptions/s/events");
    events.incoming.pause();
    const { consumer } = consuming();
    let offset = 0;
    for (let turn = 0; turn < 5_000 && consumer.ready; turn++) {
      consumer.deliver(viewOf({ payload: "x".repeat(10_000) }), leaseOf(++offset));
      if (turn % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(consumer.ready).toBe(false);
    const { resumed } = consuming();
    events.incoming.resume();
    await until(() => consuming().resumed > resumed);
    expect(consumer.ready).toBe(true);
    await until(() => eventsOf(events).length === offset);
  });

  it("answers refusals with problems", async () => {
    door.queues.refusal = { reason: 0x87, text: "no" };
    expect((await ask(door, "/v1/subscriptions/s/events", { key: readerKey })).status).toBe(403);
    for (const query of ["credit=0", "credit=4097", "creditBytes=0", "from=1"]) {
      expect((await ask(door, `/v1/subscriptions/s/events?${query}`, { key: readerKey })).status).toBe(400);
    }
  });
});
