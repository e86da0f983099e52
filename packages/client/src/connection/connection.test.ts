import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { connect } from "../connect.ts";
import { FakeBroker } from "../fake-broker.test-data.ts";
import { MessError } from "../mess-error.ts";
import { openClient } from "../open-client.test-data.ts";
import { fullJitter } from "./backoff.ts";
import { ServerReferences } from "./server-references.ts";

describe("full jitter", () => {
  it("is anywhere between nothing and a bound that doubles", () => {
    const backoff = { min: 200, max: 30_000 };
    expect([0, 1, 2, 7, 8, 1000].map((attempt) => fullJitter(attempt, backoff, 0.999_999_999))).toEqual(
      [200, 400, 800, 25_600, 30_000, 30_000].map((bound) => expect.closeTo(bound, 3)),
    );
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const delay = fullJitter(attempt, backoff, random);
        return delay >= 0 && delay <= 30_000;
      }),
    );
  });
});

describe("connect", () => {
  it("tells a first failure at once", async () => {
    const broker = new FakeBroker();
    broker.reachable = false;
    await expect(connect("mqtt://localhost", { transport: broker.transport })).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    expect(broker.opened).toBe(1);
  });

  it("goes on trying when asked to, until its signal", async () => {
    const broker = new FakeBroker();
    broker.reachable = false;
    const options = { transport: broker.transport, waitForServer: true, reconnect: { min: 1, max: 2 } };
    const coming = connect("mqtt://localhost", options);
    await vi.waitFor(() => expect(broker.opened).toBeGreaterThan(3));
    broker.reachable = true;
    await (await coming).close();
    broker.reachable = false;
    const signal = AbortSignal.timeout(30);
    await expect(connect("mqtt://localhost", { ...options, signal })).rejects.toMatchObject({
      code: "ABORTED",
      message: /nobody listens/u,
    });
  });

  it.each([
    ["http://x", /scheme/u],
    ["mqtt://x/topic", /no path/u],
    ["nonsense", /not a URL/u],
  ])("refuses %s", async (url, message) => {
    await expect(connect(url)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });

  it.each([
    [{ receiveMaximum: 0 }, /receiveMaximum/u],
    [{ offline: { maxMessages: 0.5 } }, /offline.maxMessages/u],
    [{ keepAlive: "soon" }, /keepAlive/u],
    [{ reconnect: { min: -1 } }, /reconnect.min/u],
  ])("refuses %j", async (options, message) => {
    await expect(connect("mqtt://localhost", options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });

  it("sends no key in clear to another machine", async () => {
    const broker = new FakeBroker();
    const options = { transport: broker.transport, auth: { token: "id.secret" } };
    await expect(connect("mqtt://192.0.2.1", options)).rejects.toMatchObject({ code: "CLEARTEXT_CREDENTIALS" });
    await expect(connect("ws://192.0.2.1", options)).rejects.toMatchObject({ code: "CLEARTEXT_CREDENTIALS" });
    expect(broker.opened).toBe(0);
  });
});

describe("credentials", () => {
  it("are asked for again at each connection", async () => {
    let count = 0;
    const token = vi.fn(() => Promise.resolve(`id.secret${++count}`));
    const { broker } = await openClient({ auth: { token } });
    broker.cutAll();
    await vi.waitFor(() => expect(broker.sessions.size + broker.connections.length).toBe(3));
    expect(broker.connections.map(({ connect: packet }) => Buffer.from(packet?.password ?? []).toString())).toEqual([
      "secret1",
      "secret2",
    ]);
    expect(broker.connections.map(({ connect: packet }) => packet?.username)).toEqual(["id", "id"]);
  });

  it("may be a key in two parts, and a function of them", async () => {
    const broker = new FakeBroker();
    await openClient({ auth: { keyId: "a", secret: "b" } }, broker);
    await openClient({ auth: () => ({ keyId: "c", secret: "d" }) }, broker);
    expect(broker.connections.map(({ connect: packet }) => packet?.username)).toEqual(["a", "c"]);
  });

  it("may be a JWT, which goes out whole", async () => {
    const { broker } = await openClient({ auth: { token: () => Promise.resolve(" eyJhbGci.eyJpc3Mi.c2ln\n") } });
    const [packet] = broker.connections.map(({ connect }) => connect);
    expect(packet?.username).toBe("jwt");
    expect(Buffer.from(packet?.password ?? []).toString()).toBe("eyJhbGci.eyJpc3Mi.c2ln");
  });

  it.each(["hunter2", "hunter2.", ".hunter2", "hunter2..x", "hunter2.a.b.c", ""])(
    "that are none are not repeated in the error: %j",
    async (token) => {
      const refused = connect("mqtt://localhost", { auth: { token } });
      await expect(refused).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.not.stringContaining("hunter2"),
      });
    },
  );

  it("that are refused end it, unless a callback may bring others", async () => {
    const broker = new FakeBroker();
    let refusals = 1;
    broker.options.connack = () => (refusals-- > 0 ? { reasonCode: 0x87 } : undefined);
    refusals = 0;
    const { mess: fixed } = await openClient({ auth: { token: "id.secret" } }, broker);
    refusals = 1;
    broker.cutAll();
    expect(await fixed.ended).toMatchObject({ code: "NOT_AUTHORIZED" });
    refusals = 0;
    const { mess: changing } = await openClient({ auth: { token: () => "id.secret" } }, broker);
    const states: string[] = [];
    changing.on("state", ({ name, reason }) => states.push(`${name} ${reason?.code}`));
    refusals = 3;
    broker.cutAll();
    await vi.waitFor(() => expect(states.at(-1)).toBe("connected undefined"));
    expect(states.filter((state) => state === "reconnecting NOT_AUTHORIZED")).toHaveLength(3);
  });

  it("whose callback always brings refused ones end it too", async () => {
    const { mess, broker } = await openClient({ auth: { token: () => "id.secret" } });
    broker.options.connack = () => ({ reasonCode: 0x86 });
    broker.cutAll();
    expect(await mess.ended).toMatchObject({ code: "NOT_AUTHORIZED" });
    expect(broker.opened).toBe(6);
  });

  it("whose callback fails are asked for again", async () => {
    let fails = 0;
    const token = (): string => {
      if (fails-- > 0) throw new Error("the vault is sealed");
      return "id.secret";
    };
    const { mess, broker } = await openClient({ auth: { token } });
    const states: string[] = [];
    mess.on("state", ({ name, reason }) => states.push(`${name} ${reason?.code}`));
    fails = 8;
    broker.cutAll();
    await vi.waitFor(() => expect(states.at(-1)).toBe("connected undefined"));
    expect(states.filter((state) => state === "reconnecting NOT_AUTHORIZED")).toHaveLength(8);
  });
});

describe("an end that trying again does not change", () => {
  it.each([0x84, 0x85, 0x8a, 0x8e])("0x%s", async (reasonCode) => {
    const { mess, broker } = await openClient();
    if (reasonCode === 0x8e) {
      broker.connections[0]?.send({ type: 14, reasonCode });
    } else {
      broker.options.connack = () => ({ reasonCode });
      broker.cutAll();
    }
    expect(await mess.ended).toMatchObject({ reasonCode });
    expect(mess.state).toMatchObject({ name: "closed", reason: { reasonCode } });
  });
});

describe("server references", () => {
  const moved = (reasonCode: number, serverReference: string): MessError =>
    new MessError("REFUSED", "moved", { reasonCode, serverReference });

  it("are followed: at the first attempt, and later", async () => {
    const broker: FakeBroker = new FakeBroker({
      connack: () =>
        broker.urls.length === 1
          ? { reasonCode: 0x9c, properties: { serverReference: "second.example:1" } }
          : undefined,
    });
    const { mess } = await openClient({}, broker);
    expect(broker.urls).toEqual(["localhost:1883", "second.example:1"]);
    broker.connections.at(-1)?.send({ type: 14, reasonCode: 0x9d, properties: { serverReference: "third.example" } });
    await vi.waitFor(() => expect(broker.urls).toContain("third.example:1883"));
    await vi.waitFor(() => expect(mess.state.name).toBe("connected"));
    broker.cutAll();
    await vi.waitFor(() => expect(broker.urls).toHaveLength(4));
    expect(broker.urls[3]).toBe("third.example:1883");
  });

  it("of a while are left when the other server fails; those for good are not", () => {
    const references = new ServerReferences("mqtts://home.example");
    expect(references.follow(moved(0x9c, "other.example:9"))).toBe(true);
    expect(references.url).toBe("mqtts://other.example:9");
    expect(references.follow(new MessError("UNREACHABLE", "x"))).toBe(false);
    expect(references.url).toBe("mqtts://home.example");
    expect(references.follow(moved(0x9d, "other.example:9"))).toBe(true);
    expect(references.follow(new MessError("UNREACHABLE", "x"))).toBe(false);
    expect(references.url).toBe("mqtts://other.example:9");
  });

  it("never lead to a less secure one, and keep path and user", () => {
    const references = new ServerReferences("wss://u:p@home.example/mqtt");
    expect(references.follow(moved(0x9c, "ws://evil.example mqtt://evil.example"))).toBe(false);
    expect(references.follow(moved(0x9c, "ws://evil.example other.example:1"))).toBe(true);
    expect(references.url).toBe("wss://u:p@other.example:1/mqtt");
  });

  it("are not followed round and round", () => {
    const references = new ServerReferences("mqtts://a.example");
    const followed = Array.from({ length: 10 }, (_, index) =>
      references.follow(moved(0x9c, `${index % 2 ? "a" : "b"}.example`)),
    );
    expect(followed.filter(Boolean)).toHaveLength(5);
    references.settled();
    expect(references.follow(moved(0x9c, "b.example"))).toBe(true);
  });

  it.each(["", " ", "::::", "a b c://"])("%j leads nowhere", (reference) => {
    const references = new ServerReferences("mqtts://a.example");
    expect([true, false]).toContain(references.follow(moved(0x9c, reference)));
    expect(() => references.url).not.toThrow();
  });
});

describe("a server that drops us at once", () => {
  it("is met with growing waits, not with a storm", async () => {
    const { broker } = await openClient({ reconnect: { min: 20, max: 10_000 } });
    broker.options.connack = () => {
      setImmediate(() => setImmediate(() => broker.cutAll()));
      return undefined;
    };
    broker.cutAll();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(broker.opened).toBeLessThan(25);
    expect(broker.opened).toBeGreaterThan(2);
  });
});
