import { type AckPacket, type Packet, ReasonCode } from "@mess/wire";
import { describe, expect, test } from "vitest";
import type { Settlement, SettleResult } from "../../../model/queue.ts";
import { type Pairs, reasons, saying } from "./conventions.test-data.ts";
import { Door, publishPacket } from "./door.test-data.ts";

const refusedCode = ReasonCode.ImplementationSpecificError;

describe("settling a lease", () => {
  interface Asked {
    readonly principal: string;
    readonly token: string;
    readonly settlement: Settlement;
    readonly done: (result: SettleResult) => void;
  }

  function settling(): { door: Door; asked: Asked[] } {
    const asked: Asked[] = [];
    const door = new Door({
      queues: { settle: (principal, token, settlement, done) => asked.push({ principal, token, settlement, done }) },
    });
    return { door, asked };
  }

  const lease = (payload: string, packetId: number, ...pairs: Pairs): Packet =>
    publishPacket("$mess/lease/billing", payload, packetId, {
      correlationData: Buffer.from(`token${packetId}`),
      ...(pairs.length > 0 && saying(...pairs)),
    });

  test("the token, the verb and what goes with it; PUBACK when it is durable", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    client.send(lease("", 1), lease("nack", 2, ["mess-delay", "PT1S"], ["mess-reason", "busy"]), lease("extend", 3));
    expect(asked.map(({ principal, token, settlement }) => [principal, token, settlement])).toEqual([
      ["dev", "token1", { verb: "ack" }],
      ["dev", "token2", { verb: "nack", delayMs: 1_000, reason: "busy" }],
      ["dev", "token3", { verb: "extend" }],
    ]);
    door.commit();
    expect(client.received()).toEqual([]);
    for (const { done } of asked) done("done");
    expect(reasons(client.received())).toEqual([
      [1, 0, ""],
      [2, 0, ""],
      [3, 0, ""],
    ]);
  });

  test("what may come of it", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    const results: SettleResult[] = ["done", "dead", "gone", "forbidden", "failed"];
    results.forEach((_, index) => client.send(lease("nack", index + 1)));
    results.forEach((result, index) => asked[index]?.done(result));
    expect(reasons(client.received())).toEqual([
      [1, 0, ""],
      [2, 0, "that was the last attempt: the message is a dead letter now"],
      [3, refusedCode, "the lease is gone: it expired, was settled, or never was"],
      [4, ReasonCode.NotAuthorized, "the lease was given to somebody else"],
      [5, refusedCode, "storage has failed: nothing is acknowledged any more"],
    ]);
  });

  test("PUBACKs keep the order of all publishes [MQTT-4.6.0-2]", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    client.send(publishPacket("a", "x", 1), lease("", 2), publishPacket("a", "y", 3), lease("", 4));
    asked[1]?.done("done");
    expect(client.received()).toEqual([]);
    door.commit();
    expect(reasons(client.received()).map(([id]) => id)).toEqual([1]);
    asked[0]?.done("done");
    expect(reasons(client.received()).map(([id]) => id)).toEqual([2, 3, 4]);
    client.send(publishPacket("a", "z", 5));
    door.commit();
    expect(reasons(client.received()).map(([id]) => id)).toEqual([5]);
  });

  test("settlements count for Receive Maximum", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    for (let id = 1; id <= 100; id++) client.send(lease("", id));
    expect([asked.length, client.isClosed]).toEqual([100, false]);
    asked[0]?.done("done");
    client.send(lease("", 101));
    expect(client.isClosed).toBe(false);
    client.send(lease("", 102));
    expect(client.received().at(-1)).toMatchObject({ reasonCode: ReasonCode.ReceiveMaximumExceeded });
  });

  test("at QoS 0 it is done, and nothing said; with an alias as well", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    const correlationData = Buffer.from("t");
    client.send(
      publishPacket("$mess/lease/q", "ack", 0, { correlationData, topicAlias: 3 }),
      publishPacket("", "release", 0, { correlationData, topicAlias: 3 }),
    );
    expect(asked.map(({ settlement }) => settlement.verb)).toEqual(["ack", "release"]);
    for (const { done } of asked) done("gone");
    expect([client.received(), client.isClosed]).toEqual([[], false]);
  });

  test("an answer that comes after the end goes nowhere", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    client.send(lease("", 1));
    client.transport.cut();
    expect(() => asked[0]?.done("done")).not.toThrow();
    expect(client.received()).toEqual([]);
  });

  test.each([
    ["another verb", lease("done", 1), "ack, nack, reject, release, extend"],
    ["a long one", lease("x".repeat(1_000), 1), "ack, nack, reject, release, extend"],
    ["a bad property", lease("nack", 1, ["mess-delay", "soon"]), "ISO 8601"],
    ["no token", publishPacket("$mess/lease/q", "ack", 1), "Correlation Data must be that of the delivery"],
    ["RETAIN", { ...lease("ack", 1), retain: true }, "cannot be retained"],
    ["QoS 2", { ...lease("ack", 1), qos: 2 }, "takes QoS 1 or 0"],
  ] as [string, Packet, string][])("%s is refused with a reason", (_, packet, text) => {
    const { door, asked } = settling();
    const client = door.connected("c");
    client.send(packet);
    const [answer] = client.received() as [AckPacket];
    expect(answer.reasonCode).toBe(refusedCode);
    expect(answer.properties?.reasonString).toContain(text);
    expect([asked, client.isClosed]).toEqual([[], false]);
  });

  test("3.1.1 has no token: the connection ends (docs/adr/0005)", () => {
    const { door, asked } = settling();
    const client = door.connected("c", {}, 4);
    client.send(publishPacket("$mess/lease/q", "ack", 1));
    expect([asked, client.received(), client.isClosed]).toEqual([[], [], true]);
  });

  test("other topics below $mess are refused as ever", () => {
    const { door, asked } = settling();
    const client = door.connected("c");
    client.send(publishPacket("$mess/lease/", "ack", 1), publishPacket("$mess/leases/q", "ack", 2));
    door.commit();
    expect(client.received()).toMatchObject([{ reasonCode: 0x87 }, { reasonCode: 0x87 }]);
    expect(asked).toEqual([]);
  });
});
