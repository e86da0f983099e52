import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAttributes } from "../../../model/message.ts";
import { propertiesOf } from "./api.test-data.ts";
import { ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";
import { storedOf } from "./queue.test-data.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor({ now: () => 5_000 });
});
afterEach(async () => {
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

const post = (path: string, body: string, headers: Record<string, string>): Promise<Reply> =>
  ask(door, path, { method: "POST", key: readerKey, body, headers });

describe("signed messages over HTTP", () => {
  it("are verified as the caller's, with what is signed of them, and go on with their signature", async () => {
    const headers = { "content-type": "text/plain", "mess-signature": "e30..AA", "mess-header-unit": "C" };
    expect((await post("/v1/messages?topic=a%2Fb&key=k", "x", headers)).status).toBe(201);
    expect(door.signatures.asked).toEqual([
      {
        principal: "reader",
        topic: "a/b",
        payload: Buffer.from("x"),
        properties: { contentType: "text/plain", userProperties: [["unit", "C"]] },
        signature: "e30..AA",
      },
    ]);
    const message = door.queues.published[0]?.messages[0];
    if (message === undefined) throw new Error("nothing was published");
    expect(readAttributes(message)).toEqual({ key: "k", nonce: `sk_a ${"AQEB".repeat(5)}AQ 1 0` });
    expect(propertiesOf(message)).toEqual({
      contentType: "text/plain",
      userProperties: [
        ["unit", "C"],
        ["mess-signature", "e30..AA"],
      ],
    });
  });

  it("come in batches, each with its own", async () => {
    const lines = ['{"topic":"a","payload":"1","signature":"s1"}', '{"topic":"a"}', '{"topic":"b","signature":"s2"}'];
    const reply = await post("/v1/batch", lines.join("\n"), { "content-type": "application/x-ndjson" });
    expect(reply.status).toBe(201);
    expect(door.signatures.asked.map(({ topic, signature }) => [topic, signature])).toEqual([
      ["a", "s1"],
      ["b", "s2"],
    ]);
    const messages = door.queues.published[0]?.messages ?? [];
    expect(messages.map((message) => message.hasAttributes)).toEqual([true, false, true]);
  });

  it.each([
    ["sig.bad", 403, "signature-refused"],
    ["sig.stale", 403, "signature-refused"],
    ["sig.busy", 503, "unavailable"],
  ])("%s is answered with %d, and nothing of the batch is published", async (problem, status, code) => {
    const one = await post("/v1/messages?topic=a", "x", { "mess-signature": problem });
    expect(one).toMatchObject({ status, json: { type: `urn:mess:problem:${code}`, detail: `${problem}: because` } });
    const lines = ['{"topic":"a"}', `{"topic":"a","signature":"${problem}"}`];
    const reply = await post("/v1/batch", lines.join("\n"), { "content-type": "application/x-ndjson" });
    expect(reply.status).toBe(status);
    if (status === 403) expect(reply.json).toMatchObject({ errors: [{ line: 2, path: "signature" }] });
    else expect(reply.headers["retry-after"]).toBe("5");
    expect(door.queues.published).toEqual([]);
  });

  it("that were taken before are a conflict", async () => {
    const refusal = { text: "sig.replay: because", offset: 0, duplicate: false } as const;
    door.queues.answer = () => ({ ...refusal, reason: 0x87, signature: "sig.replay" });
    const reply = await post("/v1/messages?topic=a", "x", { "mess-signature": "s" });
    expect(reply).toMatchObject({
      status: 409,
      json: { type: "urn:mess:problem:signature-replayed", detail: "sig.replay: because" },
    });
  });

  it("are bounded, and have one signature", async () => {
    expect((await post("/v1/messages?topic=a", "x", { "mess-signature": "x".repeat(2_049) })).status).toBe(400);
    expect((await post("/v1/messages?topic=a&signature=s", "x", { "mess-signature": "s" })).status).toBe(400);
    expect((await post("/v1/messages?topic=a", "x", { "mess-header-mess-signature": "s" })).status).toBe(400);
    expect(door.signatures.asked).toEqual([]);
  });

  it("are read with their signature beside the headers", async () => {
    const userProperties = [["a", "b"] as const, ["mess-signature", "e30..AA"] as const];
    door.queueAdministration.stored = [storedOf(1, { properties: { userProperties } })];
    const { json } = await ask(door, "/v1/messages?filter=a", { key: readerKey });
    expect(json["messages"]).toMatchObject([{ signature: "e30..AA", headers: { a: "b" } }]);
  });
});
