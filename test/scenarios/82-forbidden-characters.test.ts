// Names with noncharacters or control characters go nowhere: some clients drop their connection over one (LESSONS 4).
import { describe, expect, it } from "vitest";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { unique, useServer } from "../support/suite.ts";

const shared = useServer();
const characters = ["\uffff", "\ufffe", "\ufdd0", "\u{1fffe}", "\u{10ffff}", "\u0001", "\u001b", "\u007f", "\u0085"];

describe.each(characters.map((character) => [character.codePointAt(0)?.toString(16) ?? "", character]))(
  "U+%s",
  (_point, character) => {
    it("in a topic: 0x90, and subscribers stay", async () => {
      const reader = await shared.connect();
      await reader.subscribe({ filter: "n/#", qos: 0 });
      const publisher = await shared.connect();
      const id = publisher.freshId();
      publisher.send(build.publish({ topic: `n/${character}`, payload: "x", qos: 1, id }));
      const answer = await publisher.next(() => true);
      expect([answer.name, answer.code]).toEqual(["PUBACK", 0x90]);
      await reader.expectNothing(50);
      await reader.ping();
    });

    it("in a filter: 0x8F", async () => {
      const client = await shared.connect();
      const suback = await client.subscribe([`n/${character}/#`, `$share/${character}/n`, "n/ok"], { refusable: true });
      expect(suback.codes).toEqual([0x8f, 0x8f, 0]);
    });

    it("in a client id: 0x85", async () => {
      const client = await RawClient.open(shared.endpoint);
      client.send(build.connect({ clientId: `${unique("c")}${character}` }));
      expect((await client.next("CONNACK")).code).toBe(0x85);
    });

    it("in a will's topic: 0x90", async () => {
      const client = await RawClient.open(shared.endpoint);
      client.send(build.connect({ clientId: unique("c"), will: { topic: `n/${character}`, payload: "x" } }));
      expect((await client.next("CONNACK")).code).toBe(0x90);
    });
  },
);
