/** Signed messages in the core: what has to be signed, and that none is taken twice. The arithmetic was done before. */
import { describe, expect, it } from "vitest";
import { MessageDraft, writeAttributes } from "../model/message.ts";
import type { PublishResult } from "../model/queue.ts";
import type { SigningMode } from "../model/settings.ts";
import { formatSignedNonce } from "../model/signing.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { World } from "./world.test-data.ts";

const hour = 3_600_000;
const refused = 0x87;
const busy = 0x97;

interface Signed {
  readonly number?: number;
  /** Seconds from the clock of the broker. */
  readonly ahead?: number;
  readonly packetId?: number;
  readonly keyId?: string;
}

/** As a door makes it once the signature was verified. */
function nonce(world: World, { number = 1, ahead = 0, packetId = 7, keyId = "sk_a" }: Signed = {}): string {
  const bytes = Buffer.alloc(16, number);
  return formatSignedNonce({ keyId, nonce: bytes, issuedAt: Math.floor(world.clock.wall / 1_000) + ahead, packetId });
}

function opened(mode?: SigningMode): World {
  const world = new World();
  if (mode !== undefined) world.machine.topics.declare("dev", "a/#", { signing: mode });
  world.commit();
  return world;
}

function reading(world: World): FakeClient {
  const reader = world.connected("reader", { expiry: 1_000_000 });
  reader.subscribe("#", { qos: 1 });
  world.commit();
  return reader;
}

describe("required", () => {
  it("takes signed messages alone, of each QoS, from sessions, live and in batches", () => {
    const world = opened("required");
    const reader = reading(world);
    const client = world.connected("c");
    for (const qos of [0, 1, 2] as const)
      expect(client.publish("a/b", "unsigned", { qos, retain: true })).toBe(refused);
    expect(client.live("a/b", "unsigned")).toBe(refused);
    expect(client.liveRun("a/b", ["unsigned", "unsigned"])).toBe(refused);
    expect(batch(world, [undefined])).toMatchObject([{ reason: refused, signature: "sig.required", offset: 0 }]);
    expect(world.machine.explainRefusal()).toBe('sig.required: messages of "a/#" must be signed');
    expect(client.publish("a/b", "signed", { attributes: { nonce: nonce(world) } })).toBe(0);
    expect(client.live("b", "elsewhere")).toBe(0);
    world.commit();
    expect(reader.link.payloads.sort()).toEqual(["elsewhere", "signed"]);
    expect(world.audited.filter((event) => event.startsWith("sig."))).toEqual(Array(6).fill("sig.required"));
    expect(world.audited).not.toContain("acl.deny");
  });

  it("takes no will, neither when it is given nor when it is due", () => {
    const world = opened("required");
    const reader = reading(world);
    expect(world.connect("c", { will: { topic: "a/will" } }).refusal).toBe(refused);
    expect(world.audited.at(-1)).toBe("sig.required");
    const before = world.connected("d", { will: { topic: "b/will" } });
    world.machine.topics.declare("dev", "b/#", { signing: "required" });
    before.cut();
    world.wait(1);
    expect(reader.link.payloads).toEqual([]);
    expect(world.audited).toContain("will.refused");
  });

  it.each(["optional", "none"] as const)("%s takes unsigned messages", (mode) => {
    const world = opened(mode);
    const client = world.connected("c");
    expect(client.publish("a/b", "unsigned")).toBeLessThan(0x80);
    expect(client.live("a/b", "unsigned")).toBeLessThan(0x80);
  });
});

describe("a signature that was taken", () => {
  /** What may happen between the first time and the second. */
  const meanwhile: readonly (readonly [string, (world: World) => void])[] = [
    ["at once", () => undefined],
    ["after 299 s", (world) => world.wait(299_000)],
    ["after two hours", (world) => world.wait(2 * hour)],
    ["after a restart", (world) => world.restart()],
    [
      "after a snapshot and a restart",
      (world) => {
        world.snapshot();
        world.restart();
      },
    ],
    [
      "after two hours, a snapshot, a restart, and a clock that is as it was",
      (world) => {
        world.wait(2 * hour);
        world.connected("other").publish("x", "y", { attributes: { nonce: nonce(world, { number: 99 }) } });
        world.snapshot();
        world.clock.wall -= 2 * hour;
        world.restart();
      },
    ],
    [
      "after the clock was set back by an hour",
      (world) => {
        world.clock.wall -= hour;
      },
    ],
    [
      "after an hour, with the clock set back by as much",
      (world) => {
        world.wait(hour);
        world.connected("other").publish("x", "y", { attributes: { nonce: nonce(world, { number: 99 }) } });
        world.clock.wall -= hour;
      },
    ],
  ];

  it.each(meanwhile)(
    "is not taken again %s: by another session, another QoS, on another topic, in a batch",
    (_, happen) => {
      for (const first of [0, 1, 2] as const) {
        const world = opened();
        const text = nonce(world);
        const client = world.connected("c", { expiry: 1_000_000 });
        expect(client.publish("a/b", "signed", { qos: first, packetId: 7, attributes: { nonce: text } })).toBeLessThan(
          0x80,
        );
        world.commit();
        happen(world);
        const again = world.connected("d");
        for (const qos of [0, 1, 2] as const) {
          expect(again.publish("a/b", "signed", { qos, packetId: 8, attributes: { nonce: text } })).toBe(refused);
          expect(world.machine.explainRefusal()).toMatch(/^sig\.(replay|stale)/);
        }
        expect(again.publish("a/c", "signed", { packetId: 8, attributes: { nonce: text } })).toBe(refused);
        expect(batch(world, [text])).toMatchObject([
          { reason: refused, signature: expect.stringMatching(/replay|stale/) },
        ]);
        // Another one is: nothing is refused that should not be, but by a clock that went back.
        const fresh = nonce(world, { number: 2 });
        const isBack = world.clock.wall < world.machine.state.nonces.now();
        expect(again.publish("a/b", "fresh", { packetId: 9, attributes: { nonce: fresh } }) < 0x80).toBe(!isBack);
      }
    },
  );

  it("is acknowledged once more and stored once when the same packet of the same session comes again, marked DUP", () => {
    const world = opened("required");
    const reader = reading(world);
    const text = nonce(world);
    const send = (client: FakeClient, wish: object): number =>
      client.publish("a/b", "signed", { packetId: 7, attributes: { nonce: text }, isRepeat: true, ...wish });
    const client = world.connected("c", { expiry: 1_000_000 });
    expect(send(client, { isRepeat: false })).toBe(0);
    world.commit();
    reader.ack(reader.link.delivered[0]?.packetId ?? 0);
    world.commit();
    expect(send(client, {})).toBe(0);
    expect(send(client, { isRepeat: false })).toBe(refused);
    expect(send(client, { packetId: 8, attributes: { nonce: text.replace(/7$/, "8") } })).toBe(refused);
    expect(send(client, { qos: 2 })).toBe(refused);
    expect(send(world.connected("d", { expiry: 1_000_000 }), {})).toBe(refused);
    world.restart();
    const back = world.connected("c", { expiry: 1_000_000 });
    expect(send(back, {})).toBe(0);
    expect(send(world.connected("d", { expiry: 1_000_000 }), {})).toBe(refused);
    world.commit();
    expect(back.link.told).toContain("confirm 7 qos 1 0");
    const after = world.connected("reader", { expiry: 1_000_000 });
    world.commit();
    expect([...reader.link.payloads, ...after.link.payloads].filter((payload) => payload === "signed").length).toBe(1);
  });

  it("is not the same packet any more after a restart when its session is over: the number is another's", () => {
    const world = opened();
    const text = nonce(world);
    const wish = { packetId: 7, attributes: { nonce: text }, isRepeat: true };
    const { number } = world.connected("c").handle;
    expect(world.connected("c").publish("a", "signed", wish)).toBeLessThan(0x80);
    world.commit();
    world.restart();
    const clients = Array.from({ length: 3 }, (_, i) => world.connected(`d${i}`));
    expect(clients.map((client) => client.handle.number)).toContain(number + 1);
    for (const client of clients) expect(client.publish("a", "signed", wish)).toBe(refused);
  });

  it("QoS 2: the packet that is held is acknowledged again, and not once it was released", () => {
    const world = opened();
    const reader = reading(world);
    const client = world.connected("c", { expiry: 1_000 });
    const wish = { qos: 2, packetId: 7, attributes: { nonce: nonce(world) } } as const;
    expect(client.publish("a", "signed", wish)).toBe(0);
    expect(client.publish("a", "signed", { ...wish, isRepeat: true })).toBe(0);
    world.commit();
    client.release(7);
    world.commit();
    expect(client.publish("a", "signed", { ...wish, isRepeat: true })).toBe(refused);
    client.release(7);
    world.commit();
    expect(reader.link.payloads).toEqual(["signed"]);
  });

  it("with an id that is known: not stored, but used up, over restarts", () => {
    const world = opened();
    const client = world.connected("c");
    const [first, second] = [nonce(world), nonce(world, { number: 2 })];
    expect(client.publish("a", "signed", { attributes: { id: "x", nonce: first } })).toBeLessThan(0x80);
    expect(client.publish("a", "signed", { attributes: { id: "x", nonce: first } })).toBe(refused);
    expect(client.publish("a", "signed", { attributes: { id: "x", nonce: second } })).toBe(0);
    world.commit();
    expect(world.machine.state.counters.repeated).toBe(1);
    for (let restart = 0; restart < 2; restart++) {
      // The id is forgotten by then.
      world.wait(130_000);
      expect(world.connected("d").publish("a", "signed", { attributes: { id: "x", nonce: second } })).toBe(refused);
      world.snapshot();
      world.restart();
    }
  });

  it("of a delayed message counts from the publish on, and the release is none of its own", () => {
    const world = opened("required");
    const reader = reading(world);
    const client = world.connected("c");
    const text = nonce(world);
    const attributes = { nonce: text, deliverAt: world.clock.wall + 10_000 };
    expect(client.publish("a/b", "later", { attributes })).toBe(0);
    expect(client.publish("a/b", "later", { attributes })).toBe(refused);
    world.commit();
    world.restart();
    expect(world.connected("d").publish("a/b", "later", { attributes })).toBe(refused);
    const back = world.connected("reader", { expiry: 1_000_000 });
    world.wait(10_000);
    expect([...reader.link.payloads, ...back.link.payloads]).toEqual(["later"]);
    expect(world.machine.state.nonces.size).toBe(1);
  });
});

it("what is refused for another reason does not use the signature up", () => {
  const world = new World({ limits: { retainedPerPrincipalMax: 0 }, policy: onlyA });
  const client = world.connected("c", { principal: "p" });
  const text = nonce(world);
  expect(client.publish("b", "x", { attributes: { nonce: text } })).toBe(refused);
  expect(client.publish("a/b", "x", { retain: true, attributes: { nonce: text } })).toBeGreaterThan(0x80);
  expect(world.machine.state.nonces.size).toBe(0);
  expect(client.publish("a/b", "x", { attributes: { nonce: text } })).toBeLessThan(0x80);
});

describe("time and room", () => {
  it.each([
    [-301, refused],
    [-300, 0x10],
    [300, 0x10],
    [301, refused],
    [600, refused],
  ])("a signature made %d s from now: %d", (ahead, reason) => {
    const world = opened();
    world.clock.wall = Math.floor(world.clock.wall / 1_000) * 1_000;
    expect(world.connected("c").publish("a", "x", { attributes: { nonce: nonce(world, { ahead }) } })).toBe(reason);
    if (reason === refused) expect(world.machine.explainRefusal()).toContain("sig.stale");
  });

  it("when full refuses, and takes others once the first are too old", () => {
    const world = new World({ limits: { noncesMax: 3, noncesPerPrincipalMax: 3 } });
    const client = world.connected("c");
    const send = (number: number): number =>
      client.publish("a", "x", { attributes: { nonce: nonce(world, { number }) } });
    expect([send(1), send(2), send(3), send(4)]).toEqual([0x10, 0x10, 0x10, busy]);
    expect(world.machine.explainRefusal()).toContain("sig.busy: 3 signed messages");
    expect(batch(world, [nonce(world, { number: 5 })])).toMatchObject([{ reason: busy, signature: "sig.busy" }]);
    expect(client.publish("a", "unsigned")).toBe(0x10);
    world.wait(299_000);
    expect(send(6)).toBe(busy);
    world.wait(60_000);
    expect(send(7)).toBe(0x10);
  });

  it("a batch with one signature twice is refused, and one that would not fit", () => {
    const world = new World({ limits: { noncesMax: 2, noncesPerPrincipalMax: 2 } });
    const [one, two, three] = [1, 2, 3].map((number) => nonce(world, { number }));
    expect(batch(world, [one, two, one]).map(({ signature }) => signature)).toEqual([
      undefined,
      undefined,
      "sig.replay",
    ]);
    expect(batch(world, [one, two, three]).map(({ signature }) => signature)).toEqual([
      undefined,
      undefined,
      "sig.busy",
    ]);
    expect(batch(world, [one, two]).map(({ reason }) => reason)).toEqual([0x10, 0x10]);
  });
});

const onlyA = {
  roles: {
    r: {
      allow: [
        { action: "publish", filter: "a/#" },
        { action: "retain", filter: "a/#" },
      ],
      deny: [],
    },
  },
  principals: { p: { roles: ["r"] } },
} as const;

/** One message for each, all or nothing. */
function batch(world: World, nonces: readonly (string | undefined)[]): readonly PublishResult[] {
  const drafts = nonces.map((text) => {
    const draft = new MessageDraft();
    draft.qos = 1;
    draft.topicBytes = Buffer.from("a/b");
    draft.topicEnd = 3;
    if (text !== undefined) draft.attributes = writeAttributes({ nonce: text });
    return draft;
  });
  let results: readonly PublishResult[] = [];
  world.machine.publishBatch({ principal: "dev", number: 0 }, drafts, (answer) => {
    results = answer;
  });
  world.commit();
  return results;
}
