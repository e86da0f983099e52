/** Keys and tokens that end: by themselves, over restarts, with clocks that jump, and what stays of what was done with them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivedPrincipal } from "../model/derived-principal.ts";
import type { Grant, Policy } from "../model/policy.ts";
import type { KeyCreated } from "../model/record.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { allowed, allowedFilter } from "./rights.ts";
import { World } from "./world.test-data.ts";

const policy: Policy = {
  roles: {
    all: {
      allow: (["publish", "subscribe", "retain", "will", "consume"] as const).map((action) => ({
        action,
        filter: "#",
      })),
      deny: [],
    },
  },
  principals: { shop: { roles: ["all"] }, admin: { roles: ["admin"] } },
};
const start = 1_700_000_000_000;
const minute = 60_000;

function key(id: string, more: Partial<KeyCreated> = {}): KeyCreated {
  const secretHash = Buffer.alloc(32, 7).toString("base64");
  return { id, principal: "shop", name: "shop", secretHash, createdAt: start, by: "admin", ...more };
}

function token(id: string, scope?: readonly Grant[], minutes = 15): KeyCreated {
  return key(id, { expiresAt: start + minutes * minute, isToken: true, ...(scope !== undefined && { scope }) });
}

function allow(action: Grant["action"], filter: string): Grant {
  return { action, filter };
}

function idsOf(machine: Machine): string[] {
  return [...machine.state.keys.values()].map(({ id }) => id).sort();
}

function made(...keys: KeyCreated[]): World {
  const world = new World({ policy });
  for (const one of keys) world.machine.credentials.createKey(one);
  world.commit();
  return world;
}

describe("a key with an end", () => {
  it("leaves the state at its end, and its connections end; others stay", () => {
    const world = made(key("k_a", { expiresAt: start + minute }), key("k_b"));
    const ends = world.connected("one", { principal: "shop", keyId: "k_a", expiry: 3600 });
    const stays = world.connected("two", { principal: "shop", keyId: "k_b" });
    world.wait(minute - 1);
    expect(ends.isOn).toBe(true);
    world.wait(1);
    expect(ends.link.ended).toBe("not-authorized");
    expect(stays.isOn).toBe(true);
    expect(idsOf(world.machine)).toEqual(["k_b"]);
    expect(world.audited).toContain("key.expired");
    expect(world.machine.state.session("shop", "one")?.durable).toBe(true);
  });

  it("is gone after a restart that comes after its end, and that is written down", () => {
    const world = made(key("k_a", { expiresAt: start + minute }), key("k_b"));
    world.clock.wall += 2 * minute;
    world.clock.steady += 2 * minute;
    world.restart();
    world.wait(0);
    expect(idsOf(world.machine)).toEqual(["k_b"]);
    // The clock is set back: what has ended stays ended.
    world.clock.wall -= 2 * minute;
    world.restart();
    world.wait(1);
    expect(idsOf(world.machine)).toEqual(["k_b"]);
  });

  it("ends when the wall clock is set forward, within the minute", () => {
    const world = made(key("k_a", { expiresAt: start + 90 * 86_400_000 }));
    world.clock.wall += 91 * 86_400_000;
    world.wait(minute);
    expect(idsOf(world.machine)).toEqual([]);
  });

  it("does not end early when the wall clock is set back", () => {
    const world = made(key("k_a", { expiresAt: start + minute }));
    world.clock.wall -= 10 * minute;
    world.wait(minute);
    expect(idsOf(world.machine)).toEqual(["k_a"]);
    world.wait(10 * minute);
    expect(idsOf(world.machine)).toEqual([]);
  });

  it("gets its end later, when it is rotated; its connections end then", () => {
    const world = made(key("k_a"));
    const client = world.connected("one", { principal: "shop", keyId: "k_a" });
    const record = world.machine.state.keys.get("k_a");
    if (record === undefined) throw new Error("no key");
    world.machine.credentials.rotateKey(record, key("k_b"), start + minute);
    world.commit();
    expect(idsOf(world.machine)).toEqual(["k_a", "k_b"]);
    world.restart();
    const again = world.connected("one", { principal: "shop", keyId: "k_a" });
    expect(client).toBeDefined();
    world.wait(minute);
    expect(again.link.ended).toBe("not-authorized");
    expect(idsOf(world.machine)).toEqual(["k_b"]);
  });

  it("takes with it, when it is revoked, the tokens that were made with it", () => {
    const tokens = [token("k_1"), token("k_2", [allow("publish", "a")]), token("k_3")];
    const world = made(key("k_a"), ...tokens.map((one, index) => ({ ...one, madeWith: index < 2 ? "k_a" : "k_b" })));
    const client = world.connected("one", { principal: "shop", keyId: "k_1" });
    world.machine.credentials.revokeKey("k_a", "admin");
    world.commit();
    expect(idsOf(world.machine)).toEqual(["k_3"]);
    expect(client.link.ended).toBe("not-authorized");
    world.restart();
    expect(idsOf(world.machine)).toEqual(["k_3"]);
    world.machine.credentials.revokeTokensOf("cert:01", "admin");
    expect(idsOf(world.machine)).toEqual(["k_3"]);
    world.machine.credentials.revokeTokensOf("k_b", "admin");
    expect(idsOf(world.machine)).toEqual([]);
  });

  it("takes a thousand tokens with it in one record", () => {
    const world = made(key("k_a"));
    for (let index = 0; index < 1_000; index++)
      world.machine.credentials.createKey({ ...token(`k_${index}`), madeWith: "k_a" });
    world.commit();
    const before = world.journal.lastSeq;
    world.machine.credentials.revokeKey("k_a", "admin");
    world.commit();
    expect(idsOf(world.machine)).toEqual([]);
    // The record, and that of the audit.
    expect(world.journal.lastSeq - before).toBe(2);
    expect(idsOf(world.replayed())).toEqual([]);
  });

  it("takes nothing back: the will of its session goes out, and that of a revoked one does not", () => {
    for (const how of ["expires", "revoked"] as const) {
      const world = made(token("k_a", [allow("publish", "w"), allow("will", "w")], 1));
      const watcher = world.connected("watcher", { principal: "shop" });
      watcher.subscribe("w", { qos: 1 });
      world.commit();
      const name = derivedPrincipal("shop", "k_a");
      const client = world.connected("one", { principal: name, keyId: "k_a", will: { topic: "w" } });
      expect(client.isOn).toBe(true);
      if (how === "expires") world.wait(minute);
      else world.machine.credentials.revokeKey("k_a", "admin");
      world.commit();
      expect(client.link.ended).toBe("not-authorized");
      expect([how, watcher.link.payloads]).toEqual([how, how === "expires" ? ["will of one"] : []]);
    }
  });

  it("leaves a will that is to wait for a while", () => {
    const world = made(key("k_a", { expiresAt: start + minute }));
    const watcher = world.connected("watcher", { principal: "shop" });
    watcher.subscribe("w", { qos: 1 });
    const will = { topic: "w", delaySeconds: 5 };
    world.connected("one", { principal: "shop", keyId: "k_a", expiry: 3_600, will });
    world.wait(minute);
    expect(watcher.link.payloads).toEqual([]);
    world.restart();
    const again = world.connected("watcher", { principal: "shop" });
    again.subscribe("w", { qos: 1 });
    world.commit();
    world.wait(5_000);
    expect(again.link.payloads).toEqual(["will of one"]);
  });

  it("keeps its scope for a will that waits for its client since a crash", () => {
    const world = made(token("k_a", [allow("publish", "w"), allow("will", "w")], 1));
    const name = derivedPrincipal("shop", "k_a");
    world.connected("one", { principal: name, keyId: "k_a", will: { topic: "w" } });
    world.clock.wall += minute - 2_000;
    world.restart();
    const watcher = world.connected("watcher", { principal: "shop" });
    watcher.subscribe("w", { qos: 1 });
    world.commit();
    world.wait(3_000);
    expect(idsOf(world.machine)).toEqual(["k_a"]);
    world.wait(7_000);
    expect(watcher.link.payloads).toEqual(["will of one"]);
    world.wait(2_000);
    expect(idsOf(world.machine)).toEqual([]);
  });

  it("is dropped by the thousands a turn at most, and all are dropped", () => {
    const world = made(...Array.from({ length: 2_500 }, (_, index) => token(`k_${index}`, undefined, 1)));
    expect(world.machine.state.keys.tokensOf("shop")).toBe(2_500);
    world.wait(minute);
    expect(world.machine.state.keys.size).toBe(1_500);
    for (let second = 0; second < 3; second++) world.wait(1_000);
    expect(world.machine.state.keys.size).toBe(0);
    expect(world.machine.state.keys.tokens).toBe(0);
    expect(world.machine.state.keys.tokensOf("shop")).toBe(0);
    expect(world.machine.state.keys.earliestEnd()).toBeUndefined();
  });
});

describe("a scoped token", () => {
  const name = derivedPrincipal("shop", "k_a");

  it("reads and writes in its scope alone, live and from a filter", () => {
    const world = made(token("k_a", [allow("subscribe", "in/#"), allow("publish", "in/own")]));
    const client = world.connected("one", { principal: name, keyId: "k_a" });
    client.subscribe("in/#", { qos: 1 });
    client.subscribe("out/#", { qos: 1 });
    world.commit();
    expect(client.subscribed).toEqual([1, 0x87]);
    const shop = world.connected("two", { principal: "shop" });
    shop.publish("in/x", "one");
    shop.publish("out/x", "two");
    world.commit();
    expect(client.link.payloads).toEqual(["one"]);
    expect(client.publish("in/own", "three", { packetId: 7 })).toBeLessThan(0x80);
    expect(client.publish("in/x", "four", { packetId: 8 })).toBe(0x87);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  it("has no lasting session, whatever it asks for", () => {
    const world = made(token("k_a", [allow("subscribe", "#")]));
    const client = world.connected("one", { principal: name, keyId: "k_a", expiry: 3_600 });
    client.subscribe("a", { qos: 1 });
    world.commit();
    expect(world.machine.state.session(name, "one")?.durable).toBe(false);
    client.disconnect();
    world.commit();
    expect(world.machine.state.session(name, "one")).toBeUndefined();
  });

  it("stamps principal and token, and what it retained stays its owner's when it has ended", () => {
    const world = made(token("k_a", [allow("publish", "r"), allow("retain", "r")], 1));
    const client = world.connected("one", { principal: name, keyId: "k_a" });
    client.publish("r", "kept", { retain: true, packetId: 1 });
    world.commit();
    const entry = world.machine.state.retained.get("r");
    expect(entry?.principal).toBe("shop");
    expect(world.machine.state.retainedOf.get("shop")).toBe(1);
    world.wait(minute);
    world.machine.credentials.applyPolicy({ policy, by: "admin" });
    expect(world.machine.state.retained.get("r")).toBeDefined();
    world.restart();
    expect(world.machine.state.retained.get("r")?.principal).toBe("shop");
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  it("delays a message beyond its own end", () => {
    const world = made(token("k_a", [allow("publish", "later")], 1));
    const watcher = world.connected("watcher", { principal: "shop" });
    watcher.subscribe("later", { qos: 1 });
    const client = world.connected("one", { principal: name, keyId: "k_a" });
    client.publish("later", "after", { packetId: 1, attributes: { deliverAt: start + 5 * minute } });
    world.commit();
    world.wait(minute);
    expect(client.isOn).toBe(false);
    world.wait(4 * minute);
    expect(watcher.link.payloads).toEqual(["after"]);
  });

  it("shares the memory of message ids with its owner, so that a repeat with a new token is stored once", () => {
    const world = made(token("k_a", [allow("publish", "#")]), token("k_b", [allow("publish", "#")]));
    const wish = { packetId: 1, attributes: { id: "order-1" } };
    world.connected("one", { principal: name, keyId: "k_a" }).publish("t", "x", wish);
    world.commit();
    const again = derivedPrincipal("shop", "k_b");
    world.connected("two", { principal: again, keyId: "k_b" }).publish("t", "x", wish);
    world.commit();
    expect(world.machine.state.counters.repeated).toBe(1);
    world.restart();
    world.connected("three", { principal: "shop" }).publish("t", "x", wish);
    expect(world.machine.state.counters.repeated).toBe(1);
  });
});

describe("keys by histories", () => {
  const scopes: readonly (readonly Grant[] | undefined)[] = [undefined, [], [allow("publish", "a")]];
  const step = fc.oneof(
    fc.record({
      do: fc.constant("make" as const),
      id: fc.integer({ min: 1, max: 6 }),
      scope: fc.constantFrom(...scopes),
      seconds: fc.option(fc.integer({ min: 1, max: 300 })),
      isToken: fc.boolean(),
      madeWith: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({ do: fc.constant("revoke" as const), id: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 120 }) }),
    fc.constantFrom({ do: "snapshot" as const }, { do: "restart" as const }),
  );

  it("has the keys whose time is not over, and the same after every restart", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const world = new World({ policy });
        let model = new Map<string, KeyCreated>();
        for (const one of steps) {
          if (one.do === "make") {
            const more = {
              ...(one.scope !== undefined && { scope: one.scope }),
              ...(one.seconds !== null && { expiresAt: world.clock.now() + one.seconds * 1000 }),
              ...(one.isToken && { isToken: true, madeWith: `k_${one.madeWith}` }),
            };
            const record = key(`k_${one.id}`, more);
            model.set(record.id, record);
            world.machine.credentials.createKey(record);
          } else if (one.do === "revoke") {
            const id = `k_${one.id}`;
            const known = model.get(id);
            if (known === undefined) continue;
            world.machine.credentials.revokeKey(id, "admin");
            const isWith = ({ madeWith }: KeyCreated): boolean => known.isToken !== true && madeWith === id;
            model = new Map([...model].filter(([other, record]) => other !== id && !isWith(record)));
          } else if (one.do === "wait") {
            world.wait(one.seconds * 1000);
            // A second that has been used for others is waited for.
            world.wait(1_000);
          } else if (one.do === "snapshot") world.snapshot();
          else {
            world.commit();
            world.restart();
            world.wait(0);
          }
          if (one.do === "wait" || one.do === "restart") {
            const now = world.clock.now();
            model = new Map([...model].filter(([, { expiresAt }]) => expiresAt === undefined || expiresAt > now));
          }
          world.commit();
          check(world.machine, model);
          check(world.replayed(), model);
        }
      }),
      { numRuns: 60 },
    );
  });

  function check(machine: Machine, model: ReadonlyMap<string, KeyCreated>): void {
    const { state } = machine;
    expect(idsOf(machine)).toEqual([...model.keys()].sort());
    const tokens = [...model.values()].filter(({ isToken }) => isToken === true);
    expect(state.keys.tokens).toBe(tokens.length);
    expect(state.keys.tokensOf("shop")).toBe(tokens.length);
    for (let id = 1; id <= 6; id++) {
      const scope = model.get(`k_${id}`)?.scope;
      const name = derivedPrincipal("shop", `k_${id}`);
      const may = scope !== undefined && scope.length > 0;
      expect([name, allowed(state, name, "publish", "a")]).toEqual([name, may]);
      expect(allowed(state, name, "publish", "b")).toBe(false);
      expect(allowedFilter(state, name, "subscribe", "a")).toBe(false);
    }
    expect(state.keys.scoped.size).toBe([...model.values()].filter(({ scope }) => scope !== undefined).length);
  }
});
