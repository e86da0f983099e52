import { describe, expect, it } from "vitest";
import type { CertificateIssued } from "../model/record.ts";
import { World } from "./world.test-data.ts";

const start = 1_700_000_000_000;
const hour = 3_600_000;

function issued(serial: string, more: Partial<CertificateIssued> = {}): CertificateIssued {
  return { serial, principal: "device", issuedAt: start, expiresAt: start + 10 * hour, by: "admin", ...more };
}

function saved(world: World): unknown[] {
  return [...world.machine.state.certificates.values()];
}

describe("client certificates", () => {
  it("are the same after a restart, from records and from a snapshot", () => {
    const world = new World();
    const { certificates } = world.machine.credentials;
    certificates.issue(issued("0A"));
    certificates.issue(issued("0B", { principal: "other" }));
    world.commit();
    world.snapshot();
    world.machine.credentials.certificates.revoke({ id: "cert:0A", serial: "0A", at: start + 1, by: "admin" });
    world.commit();
    const before = saved(world);
    expect(before).toEqual([issued("0A", { revokedAt: start + 1 }), issued("0B", { principal: "other" })]);
    world.restart();
    expect(saved(world)).toEqual(before);
    world.restart(0);
    expect(saved(world)).toEqual(before);
    world.snapshot();
    world.restart();
    expect(saved(world)).toEqual(before);
    expect(world.machine.state.certificates.principalOf("0A")).toBeUndefined();
    expect(world.machine.state.certificates.principalOf("0B")).toBe("other");
    expect(world.audited).toEqual(expect.arrayContaining(["certificate.issued", "certificate.revoked"]));
  });

  it("leave when they have expired, and no clock brings them back", () => {
    const world = new World();
    const { certificates } = world.machine.credentials;
    certificates.issue(issued("0A"));
    certificates.issue(issued("0B", { issuedAt: start + 11 * hour, expiresAt: start + 20 * hour }));
    expect(saved(world)).toHaveLength(1);
    world.commit();
    world.restart();
    expect(world.machine.state.certificates.principalOf("0A")).toBeUndefined();
    expect(world.machine.state.certificates.current(start + 21 * hour)).toEqual([]);
  });

  it("end the links of their sessions at once when revoked, and no others", () => {
    const world = new World();
    const [one, two, key] = ["cert:0A", "cert:0A@1234567890ABCDEF", "0A"].map((keyId, index) =>
      world.connected(`c${index}`, { keyId }),
    );
    world.machine.credentials.certificates.revoke({ id: "cert:0A", serial: "0A", at: start, by: "admin" });
    expect([one?.link.ended, two?.link.ended, key?.link.ended]).toEqual(["not-authorized", undefined, undefined]);
    world.machine.credentials.certificates.end("cert:0A@1234567890ABCDEF", "changed");
    expect([two?.link.ended, key?.link.ended]).toEqual(["not-authorized", undefined]);
  });

  it("void the wills of what was said with them, live and over a restart (THREATS A15)", () => {
    for (const isRevoked of [true, false]) {
      const world = new World();
      const watcher = world.connected("watcher");
      watcher.subscribe("w", { qos: 1 });
      const will = { topic: "w", delaySeconds: 5 };
      const client = world.connected("one", { keyId: "cert:0A", expiry: 3_600, will });
      world.connected("two", { keyId: "cert:0B", will: { topic: "w" } });
      world.machine.credentials.certificates.issue(issued("0A"));
      client.cut();
      if (isRevoked) {
        world.machine.credentials.certificates.revoke({ id: "cert:0A", serial: "0A", at: start, by: "admin" });
      }
      world.commit();
      world.restart();
      const again = world.connected("watcher");
      again.subscribe("w", { qos: 1 });
      world.commit();
      world.wait(20_000);
      world.commit();
      expect([isRevoked, again.link.payloads.toSorted()]).toEqual([
        isRevoked,
        isRevoked ? ["will of two"] : ["will of one", "will of two"],
      ]);
    }
  });
});
