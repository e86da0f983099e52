import { expect, test } from "vitest";
import { type PasswordRecord, passwordKeyId } from "../model/password.ts";
import { World } from "./world.test-data.ts";

const day = 86_400;
const keyId = passwordKeyId("dev");
const first: PasswordRecord = {
  principal: "dev",
  salt: Buffer.alloc(16, 1),
  iterations: 15_000,
  storedKey: Buffer.alloc(32, 2),
  serverKey: Buffer.alloc(32, 3),
  setAt: 7,
};
const second: PasswordRecord = { ...first, salt: Buffer.alloc(16, 9), iterations: 600_000, setAt: 8 };

test("a password is there after a restart, from records and from a snapshot alike, and gone once it is removed", () => {
  const world = new World();
  const { passwords } = world.machine.credentials;
  passwords.set(first, "admin");
  passwords.set(second, "admin");
  passwords.set({ ...first, principal: "other" }, "admin");
  world.commit();
  for (const restart of [() => world.restart(0), () => world.snapshot(), () => world.restart()]) {
    restart();
    expect([...world.machine.state.passwords.values()]).toEqual([second, { ...first, principal: "other" }]);
  }
  world.machine.credentials.passwords.remove({ principal: "dev", by: "admin" });
  world.commit();
  world.restart();
  expect([...world.machine.state.passwords.keys()]).toEqual(["other"]);
  expect(world.audited).toEqual(["password.set", "password.set", "password.set", "password.removed"]);
});

for (const act of ["set", "remove"] as const) {
  const change = (world: World): void => {
    const { passwords } = world.machine.credentials;
    if (act === "set") passwords.set(second, "admin");
    else passwords.remove({ principal: "dev", by: "admin" });
    world.commit();
  };

  test(`${act}: who came by the password before is out, with no will; others stay, and so does the session`, () => {
    const world = new World();
    world.machine.credentials.passwords.set(first, "admin");
    const watcher = world.connected("w");
    watcher.subscribe("will");
    const connected = world.connected("a", { keyId, expiry: day, will: { topic: "will" } });
    const others = [world.connected("b", { keyId: "k_1" }), world.connected("c", { keyId: passwordKeyId("other") })];
    world.connected("d", { keyId, expiry: day, will: { topic: "will", delaySeconds: 60 } }).cut();
    change(world);
    expect(connected.link.ended).toBe("not-authorized");
    expect(others.map(({ link }) => link.ended)).toEqual([undefined, undefined]);
    world.wait(120_000);
    expect(watcher.link.payloads).toEqual([]);
    expect(world.machine.state.session("dev", "a")).toBeDefined();
  });

  test(`${act}: a will that waited over a crash is void too`, () => {
    const world = new World();
    world.machine.credentials.passwords.set(first, "admin");
    world.connected("a", { keyId, expiry: day, will: { topic: "will" } });
    world.commit();
    change(world);
    world.restart(0);
    const watcher = world.connected("w");
    watcher.subscribe("will");
    world.wait(120_000);
    expect(watcher.link.payloads).toEqual([]);
  });
}

test("a first password ends nobody's connection", () => {
  const world = new World();
  const client = world.connected("a", { keyId });
  world.machine.credentials.passwords.set(first, "admin");
  world.commit();
  expect(client.link.ended).toBeUndefined();
});
