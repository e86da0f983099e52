import { PacketType } from "@mess/wire";
import { expect, test } from "vitest";
import type { Policy } from "../../../model/policy.ts";
import { Door, payloadsOf, publishPacket } from "./door.test-data.ts";

const policy: Policy = {
  roles: {
    device: { allow: [{ action: "publish", filter: "own" }], deny: [] },
    reader: { allow: [{ action: "subscribe", filter: "own" }], deny: [] },
  },
  principals: { anna: { roles: ["device"] }, rita: { roles: ["reader"] } },
};

function doorWithReader(): { door: Door; payloads: () => string[] } {
  const door = new Door({ policy, principalOf: (name) => name });
  const reader = door.connected("r", { username: "rita" });
  reader.send({
    type: PacketType.SUBSCRIBE,
    packetId: 1,
    subscriptions: [{ filter: "own", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
  });
  door.commit();
  reader.received();
  return { door, payloads: () => payloadsOf(reader.received()) };
}

const publishes = [
  publishPacket("own", "first", 1),
  publishPacket("other", "refused", 2),
  publishPacket("own", "behind", 3),
];

test("3.1.1: nothing that came behind a refused publish is taken, at once or later, and what came before it is", () => {
  const { door, payloads } = doorWithReader();
  const client = door.connected("c", { username: "anna" }, 4);
  client.send(...publishes);
  client.send(publishPacket("own", "later", 4));
  expect(client.types()).toEqual([]);
  door.commit();
  // The acknowledgement of the first comes before the end.
  expect(client.types()).toEqual([PacketType.PUBACK]);
  expect(client.isClosed).toBe(true);
  expect(payloads()).toEqual(["first"]);
});

test("5.0: the refused one is told so, and the others are taken", () => {
  const { door, payloads } = doorWithReader();
  const client = door.connected("c", { username: "anna" });
  client.send(...publishes);
  door.commit();
  expect(client.received()).toMatchObject([{ reasonCode: 0 }, { reasonCode: 0x87 }, { reasonCode: 0 }]);
  expect(client.isClosed).toBe(false);
  expect(payloads()).toEqual(["first", "behind"]);
});
