import { describe, expect, test } from "vitest";
import type { Policy } from "../model/policy.ts";
import type { BrowseRequest, MessagePage } from "../model/queue-administration.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

const everything: BrowseRequest = { filter: "#", from: "earliest", limit: 100, bytesMax: 1e6 };

function history(options: WorldOptions = {}): World {
  const world = new World({ journal: { cachedFrames: 1 }, ...options });
  const writer = world.connected("writer", { principal: "w" });
  for (let i = 0; i < 6; i++) {
    writer.publish(i % 2 === 0 ? "a" : `b/${i}`, `${i}`, { headers: `n=${i}`, attributes: { key: "k" } });
    if (i % 3 === 2) world.wait(1_000);
  }
  world.commit();
  return world;
}

function browse(world: World, request: Partial<BrowseRequest>, by = "dev"): MessagePage | { problem: string } {
  let found: MessagePage | { problem: string } | undefined;
  world.machine.browsing.browse(by, { ...everything, ...request }, (page) => {
    found = page;
  });
  for (let i = 0; i < 1_000 && found === undefined; i++) {
    world.commit();
    world.journal.answerFetches();
  }
  if (found === undefined) throw new Error("no answer");
  return found;
}

function payloads(page: MessagePage | { problem: string }): string {
  if (!("messages" in page)) return page.problem;
  return page.messages.map(({ payload }) => Buffer.from(payload).toString()).join(" ");
}

test("everything of a message", () => {
  const world = history();
  const page = browse(world, { filter: "b/1" }) as MessagePage;
  expect(page.next).toBeUndefined();
  expect(page.messages).toMatchObject([
    { topic: "b/1", publisher: "w", qos: 1, retain: false, attributes: { key: "k" }, time: world.clock.wall - 2_000 },
  ]);
  expect(Buffer.from(page.messages[0]?.headers ?? []).toString()).toBe("n=1");
});

test("pages: by number, by bytes, and on from where one ended", () => {
  const world = history();
  for (const part of [{ limit: 4 }, { bytesMax: 16 }]) {
    const first = browse(world, part) as MessagePage;
    expect(payloads(first)).toBe("0 1 2 3");
    const second = browse(world, { ...part, from: { offset: first.next ?? 0 } }) as MessagePage;
    expect([payloads(second), second.next]).toEqual(["4 5", undefined]);
  }
  expect(payloads(browse(world, { bytesMax: 1, limit: 3 }))).toBe("0");
});

test("from a time, exactly; from an offset that is none; from the end", () => {
  const world = history();
  const start = world.clock.wall - 2_000;
  expect(payloads(browse(world, { from: { at: start + 1 } }))).toBe("3 4 5");
  expect(payloads(browse(world, { from: { at: start } }))).toBe("0 1 2 3 4 5");
  expect(payloads(browse(world, { from: { at: start + 1_001 } }))).toBe("");
  expect(payloads(browse(world, { from: "latest" }))).toBe("");
  expect(payloads(browse(world, { from: { offset: 1e9 } }))).toContain("there is no offset");
  expect(payloads(browse(world, { from: { at: world.clock.wall + 60_000 } }))).toBe("");
  expect(payloads(browse(world, { from: { at: world.clock.wall + 60_001 } }))).toContain("in the future");
});

describe("only what the caller may subscribe to", () => {
  const policy: Policy = {
    roles: {
      writer: { allow: [{ action: "publish", filter: "#" }], deny: [] },
      reader: { allow: [{ action: "subscribe", filter: "b/#" }], deny: [{ action: "subscribe", filter: "b/3" }] },
    },
    principals: { w: { roles: ["writer"] }, r: { roles: ["reader"] } },
  };

  test.each([
    ["r", "1 5"],
    ["w", ""],
    ["nobody", ""],
  ])("%s: %s", (by, seen) => {
    expect(payloads(browse(history({ policy }), {}, by))).toBe(seen);
  });
});

test("shows what was told as published, and nothing that is not durable", () => {
  const world = history();
  world.connected("late").publish("a", "new");
  let found: MessagePage | undefined;
  world.machine.browsing.browse("dev", { ...everything, from: { offset: world.journal.lastSeq } }, (page) => {
    found = page as MessagePage;
  });
  world.journal.seal();
  expect(found).toBeUndefined();
  world.journal.commitSealed();
  expect(payloads(found as unknown as MessagePage)).toBe("new");
});

test("what it reads for one page is bounded: it goes on from there", () => {
  const world = new World({ journal: { cachedFrames: 0 } });
  const writer = world.connected("writer");
  for (let i = 0; i < 600; i++) {
    writer.publish(i === 599 ? "wanted" : "other", `${i}`);
    world.commit();
  }
  let page = browse(world, { filter: "wanted" }) as MessagePage;
  let pages = 1;
  while (page.messages.length === 0) {
    page = browse(world, { filter: "wanted", from: { offset: page.next ?? 0 } }) as MessagePage;
    pages++;
  }
  expect([payloads(page), pages]).toEqual(["599", 3]);
});
