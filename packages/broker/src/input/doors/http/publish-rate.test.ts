// Rates at the HTTP door (THREATS D6): 429, when to try again, and the same meters for all who share them.
import { afterEach, describe, expect, it } from "vitest";
import { Meter } from "../../../model/meter.ts";
import { type Ask, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";

let door: Door;
afterEach(async () => {
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

function publish(options: Ask = {}): Promise<Reply> {
  return ask(door, "/v1/messages?topic=a%2Fb", { method: "POST", key: readerKey, body: "x", ...options });
}

describe("publish rates over HTTP", () => {
  it("takes a second's worth, then answers 429 with the time to wait", async () => {
    door = await openDoor({ limits: { principalMessagesPerSecondMax: 2 } });
    const replies = [await publish(), await publish(), await publish(), await publish(), await publish()];
    expect(replies.map(({ status }) => status).filter((status) => status === 201).length).toBeLessThanOrEqual(4);
    const refused = replies.find(({ status }) => status !== 201);
    expect(refused).toMatchObject({
      status: 429,
      headers: { "retry-after": "1" },
      json: {
        type: "urn:mess:problem:too-many-requests",
        detail: expect.stringContaining("2 messages a second of one principal"),
      },
    });
    expect(door.queues.published).toHaveLength(replies.filter(({ status }) => status === 201).length);
    expect(door.limitHits).toContain("principalMessagesPerSecondMax");
  });

  it("counts every line of a batch: it comes whole, and is paid for after", async () => {
    door = await openDoor({ limits: { principalMessagesPerSecondMax: 10 } });
    const lines = Array.from({ length: 100 }, () => '{"topic":"a","payload":"1"}').join("\n");
    const batch = (): Promise<Reply> =>
      ask(door, "/v1/batch", {
        method: "POST",
        key: readerKey,
        body: lines,
        headers: { "content-type": "application/x-ndjson" },
      });
    expect((await batch()).status).toBe(201);
    const early = await batch();
    expect(early.status).toBe(429);
    expect(Number(early.headers["retry-after"])).toBeGreaterThanOrEqual(8);
    expect((await publish()).status).toBe(429);
  });

  it("counts bytes, and by address", async () => {
    door = await openDoor({ limits: { addressBytesPerSecondMax: 1_000 } });
    expect((await publish({ body: "x".repeat(5_000) })).status).toBe(201);
    expect(await publish()).toMatchObject({
      status: 429,
      json: { detail: expect.stringContaining("1000 bytes a second from one address") },
    });
  });

  it("holds to what the topic declares, and says so", async () => {
    door = await openDoor();
    const meter = new Meter({ messagesPerSecond: 1, bytesPerSecond: 0 });
    door.queues.rates.set("a/b", { filter: "a/#", meter });
    expect((await publish()).status).toBe(201);
    meter.take(5, 0, 0);
    expect(await publish()).toMatchObject({
      status: 429,
      json: { detail: expect.stringContaining('at most 1 message a second on "a/#"') },
    });
    expect(door.limitHits).toEqual(["rate"]);
  });
});
