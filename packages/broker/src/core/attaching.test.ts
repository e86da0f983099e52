import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import type { Policy } from "../model/policy.ts";
import { World } from "./world.test-data.ts";

const day = 86_400;
const everything: Policy = {
  roles: {
    user: {
      allow: (["publish", "subscribe", "retain", "will"] as const).map((action) => ({ action, filter: "#" })),
      deny: [],
    },
  },
  principals: { dev: { roles: ["user"] }, other: { roles: ["user"] } },
};

function watched(options: ConstructorParameters<typeof World>[0] = {}): { world: World; wills: () => string[] } {
  const world = new World(options);
  const watcher = world.connected("watcher", { expiry: day });
  watcher.subscribe("will/#", { qos: 1 });
  world.commit();
  let current = watcher;
  let life = world.machine;
  const seen: string[] = [];
  const wills = (): string[] => {
    if (life !== world.machine) {
      life = world.machine;
      seen.push(...current.link.payloads);
      current = world.connected("watcher", { expiry: day });
    }
    world.commit();
    for (const { packetId } of current.link.delivered) current.ack(packetId);
    world.commit();
    return [...seen, ...current.link.payloads];
  };
  return { world, wills };
}

describe("wills", () => {
  const will = { topic: "will/c", qos: 1 as const };

  test("a connection that breaks: at once, or after the delay; goodbye: never", () => {
    const { world, wills } = watched();
    world.connected("a", { will, expiry: day }).cut();
    expect(wills()).toEqual(["will of a"]);
    world.connected("b", { will, expiry: day }).disconnect();
    world.connected("c", { will: { ...will, delaySeconds: 5 }, expiry: day }).cut();
    world.wait(4_999);
    expect(wills()).toEqual(["will of a"]);
    world.wait(1);
    expect(wills()).toEqual(["will of a", "will of c"]);
    world.wait(day * 1_000);
    expect(wills()).toEqual(["will of a", "will of c"]);
  });

  test("the delay ends with the session at the latest", () => {
    const { world, wills } = watched();
    world.connected("a", { will: { ...will, delaySeconds: 100 }, expiry: 10 }).cut();
    world.wait(9_999);
    expect(wills()).toEqual([]);
    world.wait(1);
    expect(wills()).toEqual(["will of a"]);
    expect(world.machine.state.session("dev", "a")).toBeUndefined();
    world.connected("b", { will: { ...will, delaySeconds: 100 } }).cut();
    expect(wills()).toEqual(["will of a", "will of b"]);
  });

  test("resuming cancels it, a clean start does not [MQTT-3.1.3-9]", () => {
    const { world, wills } = watched();
    world.connected("a", { will: { ...will, delaySeconds: 5 }, expiry: day }).cut();
    world.connected("a", { expiry: day });
    world.wait(10_000);
    expect(wills()).toEqual([]);
    world.connected("b", { will: { ...will, delaySeconds: 5 }, expiry: day }).cut();
    world.connected("b", { clean: true });
    expect(wills()).toEqual(["will of b"]);
  });

  test("a take-over sends the will of the one taken over, unless it is delayed and the session goes on", () => {
    const { world, wills } = watched();
    const first = world.connected("a", { will, expiry: day });
    world.connected("a", { expiry: day });
    expect(first.link.ended).toBe("taken-over");
    expect(wills()).toEqual(["will of a"]);
    world.connected("b", { will: { ...will, delaySeconds: 5 }, expiry: day });
    world.connected("b", { expiry: day });
    world.wait(6_000);
    expect(wills()).toEqual(["will of a"]);
  });

  test("a crash: it waits for the client to come back, and goes out once", () => {
    const { world, wills } = watched({ reconnectGraceMs: 2_000 });
    world.connected("stays", { will, expiry: day });
    world.connected("passing", { will });
    world.connected("returns", { will, expiry: day });
    world.connected("passing, returns", { will });
    world.connected("passing, returns clean", { will });
    world.restart();
    const returned = [
      world.connected("returns", { expiry: day }),
      world.connected("passing, returns"),
      world.connected("passing, returns clean", { clean: true }),
    ];
    expect(returned.map(({ link }) => link.told[0])).toEqual(["attached true", "attached false", "attached false"]);
    world.wait(1_000);
    expect(wills()).toEqual([]);
    world.wait(1_001);
    expect(wills().sort()).toEqual(["will of passing", "will of stays"]);
    world.restart();
    world.wait(60_000);
    expect(wills().sort()).toEqual(["will of passing", "will of stays"]);
    expect(world.machine.state.session("dev", "passing")).toBeUndefined();
  });

  test("without the right at that moment it does not go out", () => {
    const { world, wills } = watched({ policy: everything });
    const client = world.connected("a", { principal: "other", will, expiry: day });
    world.machine.credentials.applyPolicy({
      policy: { ...everything, principals: { dev: { roles: ["user"] } } },
      by: "test",
    });
    client.cut();
    expect(wills()).toEqual([]);
    expect(world.audited).toContain("acl.deny");
  });

  test("the will of a revoked key does not go out: connected, delayed, or after a restart", () => {
    const { world, wills } = watched({ reconnectGraceMs: 1_000 });
    const connected = world.connected("a", { keyId: "k", will });
    world.connected("b", { keyId: "k", will: { ...will, delaySeconds: 5 }, expiry: day }).cut();
    world.connected("c", { keyId: "other", will, expiry: day });
    world.machine.credentials.revokeKey("k", "test");
    world.commit();
    expect(connected.link.ended).toBe("not-authorized");
    world.wait(2_000);
    world.restart();
    world.wait(10_000);
    expect(wills()).toEqual(["will of c"]);
  });
});

describe("sessions", () => {
  test("one without time of its own is not there any more after a crash [MQTT-3.2.2-4]", () => {
    const world = new World();
    world.connected("a", { will: { topic: "w" } }).subscribe("x");
    world.commit();
    world.restart();
    expect(world.connected("a").link.told).toEqual(["attached false"]);
  });

  test("time runs from the moment the connection went, over restarts", () => {
    const world = new World();
    world.connected("a", { expiry: 100 }).cut();
    world.commit();
    world.clock.wall += 60_000;
    world.restart();
    world.wait(39_999);
    expect(world.machine.state.session("dev", "a")).toBeDefined();
    world.wait(1);
    expect(world.machine.state.session("dev", "a")).toBeUndefined();
    world.restart();
    expect(world.machine.state.session("dev", "a")).toBeUndefined();
  });

  test("the quota counts sessions that stay, however they came to", () => {
    const world = new World({ policy: everything, limits: { sessionsPerPrincipalMax: 2 } });
    for (const id of ["a", "b"]) expect(world.connected(id, { expiry: day }).refusal).toBe(0);
    expect(world.connected("c", { expiry: day }).refusal).toBe(Reason.quotaExceeded);
    expect(world.connected("c").refusal).toBe(0);
    expect(world.connected("c", { expiry: day }).refusal).toBe(Reason.quotaExceeded);
    expect(world.connected("a", { expiry: day, clean: true }).refusal).toBe(0);
    expect(world.connected("other", { principal: "other", expiry: day }).refusal).toBe(0);
  });

  test("belong to a principal and a client id: another principal's does not touch it (A2)", () => {
    const world = new World({ policy: everything });
    const mine = world.connected("a", { expiry: day });
    const theirs = world.connected("a", { principal: "other", expiry: day, clean: true });
    expect([mine.link.ended, theirs.link.told[0]]).toEqual([undefined, "attached false"]);
  });

  test("closed connections leave nothing behind", () => {
    const world = new World();
    const publisher = world.connected("p");
    for (let i = 0; i < 200; i++) {
      const client = world.connected(`c${i}`, { will: { topic: `w/${i}`, delaySeconds: 3 } });
      client.subscribe(`a/${i}`);
      client.subscribe("$share/g/a/#");
      world.commit();
      publisher.publish(`a/${i}`, "x", { qos: 1 });
      client.publish(`b/${i}`, "x", { qos: 2, packetId: 5 });
      world.commit();
      client.cut();
      world.commit();
    }
    world.wait(5_000);
    world.machine.tidy();
    const { state } = world.machine;
    expect([state.sessions.size, state.sessionsByNumber.size, state.groups.size, state.groupsByNumber.size]).toEqual([
      1, 1, 0, 0,
    ]);
    expect([state.subscriptionCount, state.index.size, state.heldBytes, state.deadlines.size, state.connected]).toEqual(
      [0, 0, 0, 0, 1],
    );
    const remembered = [...state.topics.values()].filter(
      ({ receivers, groups }) => receivers.length + groups.length > 0,
    );
    expect(remembered).toEqual([]);
  });
});
