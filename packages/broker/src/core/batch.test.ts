import { expect, test } from "vitest";
import { type MessageAttributes, MessageDraft, writeAttributes } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import type { PublishResult } from "../model/queue.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

function draft(topic: string, payload: string, attributes: MessageAttributes = {}): MessageDraft {
  const made = new MessageDraft();
  made.qos = 1;
  made.topicBytes = Buffer.from(topic, "utf8");
  made.topicEnd = made.topicBytes.length;
  made.payloadBytes = Buffer.from(payload, "utf8");
  made.payloadEnd = made.payloadBytes.length;
  made.attributes = writeAttributes(attributes);
  return made;
}

function world(options: WorldOptions = {}): {
  world: World;
  publish: (...drafts: MessageDraft[]) => PublishResult[][];
} {
  const made = new World(options);
  return {
    world: made,
    publish: (...drafts) => {
      const answers: PublishResult[][] = [];
      made.machine.publishBatch({ principal: "shop", number: 0 }, drafts, (results) => answers.push([...results]));
      return answers;
    },
  };
}

const policy: Policy = {
  roles: { shop: { allow: [{ action: "publish", filter: "orders/#" }], deny: [] } },
  principals: { shop: { roles: ["shop"] } },
};

test("a batch lies in one frame, and is answered when that is durable", () => {
  const { world: made, publish } = world();
  const reader = made.connected("reader", { expiry: 100 });
  reader.subscribe("#", { qos: 1 });
  made.commit();
  const frames = made.journal.frames.length;
  const answers = publish(draft("a", "1"), draft("b", "2", { key: "k", priority: 9 }), draft("c", "3"));
  expect(answers).toEqual([]);
  made.journal.seal();
  expect(answers).toEqual([]);
  made.journal.commitSealed();
  const first = made.journal.frames[frames]?.firstSeq as number;
  expect(answers).toEqual([[0, 1, 2].map((i) => ({ reason: 0, text: "", offset: first + i, duplicate: false }))]);
  expect(reader.link.payloads).toEqual(["1", "2", "3"]);
  expect(reader.link.delivered[1]?.attributes).toEqual({ key: "k", priority: 9 });
});

test("one refused, none stored", () => {
  const { world: made, publish } = world({ policy });
  const before = made.journal.lastSeq;
  const [results] = publish(draft("orders/1", "1"), draft("bills/1", "2"), draft("orders/2", "3"));
  expect(results?.map(({ reason }) => reason)).toEqual([0x83, 0x87, 0x83]);
  expect(results?.[0]?.text).toBe("not stored, because message 2 of the batch was refused");
  expect(made.journal.recordsAfter(before).map(({ kind }) => kind)).toEqual([19]);
  expect(publish(draft("orders/+", "1"))[0]?.[0]).toMatchObject({ reason: 0x90 });
  expect(publish(draft("$mess/x", "1"))[0]?.[0]).toMatchObject({ reason: 0x87 });
});

test("a repeat within a batch and of a batch has the first one's offset, and waits for its commit", () => {
  const { world: made, publish } = world();
  const first = publish(draft("a", "1", { id: "x" }), draft("a", "2", { id: "x" }), draft("a", "3", { id: "y" }));
  const again = publish(draft("a", "1", { id: "x" }));
  expect(again).toEqual([]);
  made.commit();
  const [one, two, three] = first[0] as PublishResult[];
  expect(two).toMatchObject({ duplicate: true, offset: one?.offset });
  expect(three).toMatchObject({ duplicate: false, offset: (one?.offset ?? 0) + 1 });
  expect(again[0]?.[0]).toMatchObject({ duplicate: true, offset: one?.offset, reason: 0 });
});

test("quotas count what the batch itself brings", () => {
  const { publish } = world({ limits: { messageIdsMax: 2, batchMessagesMax: 3 } });
  const ids = (...names: string[]): MessageDraft[] => names.map((id) => draft("a", id, { id }));
  expect(publish(...ids("1", "2", "3"))[0]?.[2]).toMatchObject({ reason: 0x97 });
  expect(publish(...ids("1", "2"))).toEqual([]);
  expect(publish(...["1", "2", "3", "4"].map((text) => draft("a", text)))[0]?.[0]?.text).toContain(
    "at most 3 messages",
  );
});

test("the journal fails: everybody who waits is told", () => {
  const { world: made, publish } = world();
  const answers = publish(draft("a", "1"));
  made.journal.fail();
  expect(answers).toEqual([[{ reason: 0x83, text: "the journal has failed", offset: 0, duplicate: false }]]);
  expect(publish(draft("a", "1"))[0]?.[0]).toMatchObject({ reason: 0x83 });
});

test("says of a message that its topic does not take whether it is too large, or where its payload is wrong", () => {
  const { world: made, publish } = world();
  made.machine.topics.declare("admin", "a", { maxMessageBytes: 4, schema: { const: "good" } });
  made.commit();
  const [large] = publish(draft("a", "12345"));
  expect(large).toMatchObject([{ reason: 0x95 }]);
  const [wrong] = publish(draft("b", "x"), draft("a", "bad"));
  expect(wrong).toMatchObject([{ reason: 0x83 }, { reason: 0x99, path: "" }]);
  // What is refused for another reason has nothing of the one before.
  const [reserved] = publish(draft("$a", "12345"));
  expect(reserved).toEqual([{ reason: 0x87, text: expect.any(String) as string, offset: 0, duplicate: false }]);
});
