import fc from "fast-check";
import { expect, test } from "vitest";
import { type MessageAttributes, readAttribute, readAttributes, writeAttributes } from "./attributes.ts";
import { MessageDraft, MessageView, messageSize, writeMessage } from "./message.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const arbitraryAttributes: fc.Arbitrary<MessageAttributes> = fc.record(
  {
    key: text,
    id: text,
    priority: fc.integer({ min: 0, max: 9 }),
    deliverAt: fc.integer({ min: 0, max: 2 ** 52 }),
    origin: fc.integer({ min: 1, max: 2 ** 52 }),
    originTopic: text,
    reason: text,
    attempts: fc.integer({ min: 0, max: 1_000 }),
  },
  { requiredKeys: [] },
);

test("a message gives back its attributes, and everything beside them", () => {
  fc.assert(
    fc.property(arbitraryAttributes, fc.uint8Array({ maxLength: 20 }), (attributes, payload) => {
      const draft = new MessageDraft();
      draft.topicBytes = Buffer.from("a/b");
      draft.topicEnd = 3;
      draft.headerBytes = Buffer.from("head");
      draft.headerEnd = 4;
      draft.payloadBytes = payload;
      draft.payloadEnd = payload.length;
      draft.attributes = writeAttributes(attributes);
      const principalBytes = Buffer.from("shop");
      const bytes = Buffer.alloc(messageSize(draft, principalBytes));
      writeMessage(bytes, 0, draft, { principalBytes, number: 7 }, 1_000);
      const view = new MessageView().read(bytes, 0, bytes.length);
      expect(readAttributes(view)).toEqual(attributes);
      expect(view.hasAttributes).toBe(Object.keys(attributes).length > 0);
      expect(readAttribute(view, "key")).toBe(attributes.key);
      expect(readAttribute(view, "deliverAt")).toBe(attributes.deliverAt);
      expect(view.topic).toBe("a/b");
      expect(bytes.toString("utf8", view.headerStart, view.headerEnd)).toBe("head");
      expect(Buffer.compare(bytes.subarray(view.payloadStart, view.payloadEnd), payload)).toBe(0);
    }),
  );
});
