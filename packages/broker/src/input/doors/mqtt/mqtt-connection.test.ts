import { describe, expect, test } from "vitest";
import { PacketType, ReasonCode } from "@mess/wire";
import type { Policy } from "../../../model/policy.ts";
import { Door, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

const ping = { type: PacketType.PINGREQ } as const;

/** May publish and subscribe below `open`, nothing else. */
const narrow: Policy = {
  roles: {
    narrow: {
      allow: [
        { action: "publish", filter: "open/#" },
        { action: "subscribe", filter: "open/#" },
      ],
      deny: [],
    },
  },
  principals: { dev: { roles: ["narrow"] } },
};

describe("a refused QoS 0 publish", () => {
  for (const [name, next] of [
    ["PUBACK", { type: PacketType.PUBACK, packetId: 9, reasonCode: 0 }],
    ["PUBREL", { type: PacketType.PUBREL, packetId: 9, reasonCode: 0 }],
    ["SUBSCRIBE", subscribePacket(3, "open/a")],
    ["UNSUBSCRIBE", { type: PacketType.UNSUBSCRIBE, packetId: 3, filters: ["open/a"] }],
    ["a QoS 1 publish", publishPacket("open/a", "x", 4)],
    ["a retained publish", { ...publishPacket("open/a", "x"), retain: true }],
    ["a publish with an alias", publishPacket("open/a", "x", 0, { topicAlias: 1 })],
    ["PINGREQ", ping],
    ["DISCONNECT", { type: PacketType.DISCONNECT, reasonCode: 0 }],
  ] as const) {
    test(`ends the connection, and ${name} behind it in the same chunk does nothing`, () => {
      const door = new Door({ policy: narrow });
      const client = door.connected("c");
      const watcher = door.connected("w");
      watcher.send(subscribePacket(1, "open/#"));
      door.commit();
      watcher.received();
      expect(() => client.send(publishPacket("closed", "no"), next as never)).not.toThrow();
      door.commit();
      const packets = client.received();
      expect(packets.map(({ type }) => type)).toEqual([PacketType.DISCONNECT]);
      expect(packets[0]).toMatchObject({ reasonCode: ReasonCode.NotAuthorized });
      expect(client.isClosed).toBe(true);
      expect(payloadsOf(watcher.received())).toEqual([]);
    });
  }
});
