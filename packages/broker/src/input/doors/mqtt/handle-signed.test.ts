import { type Packet, PacketType, type Properties, type PublishPacket, ReasonCode } from "@mess/wire";
import { describe, expect, test } from "vitest";
import { TestSigner } from "../../../identity/signing.test-data.ts";
import type { SigningMode } from "../../../model/settings.ts";
import { type SignatureVerdict, type SignedMessage, signatureFault } from "../../../model/signing.ts";
import { reader as reading, reasons, saying } from "./conventions.test-data.ts";
import { Door, type DoorClient, payloadsOf, publishPacket } from "./door.test-data.ts";

const signer = new TestSigner();
const notAuthorized = ReasonCode.NotAuthorized;

function opened(mode?: SigningMode): Door {
  const door = new Door({ principalOf: (name) => name ?? "p" });
  const { machine } = door.world;
  const key = Buffer.from(signer.key).toString("base64");
  machine.signingKeys.add({ id: "sk_test", principal: "p", name: "", algorithm: "EdDSA", key, createdAt: 0, by: "t" });
  if (mode !== undefined) machine.topics.declare("t", "a/#", { signing: mode });
  door.commit();
  return door;
}

interface Wish extends Properties {
  readonly signedTopic?: string;
  readonly signedPayload?: string;
  readonly nonce?: Uint8Array;
  readonly keyId?: string;
}

function signed(door: Door, topic: string, packetId: number, wish: Wish = {}): Packet {
  const { signedTopic = topic, signedPayload = "x", nonce, keyId, ...properties } = wish;
  const now = door.world.clock.wall;
  const signature = signer.sign(signedTopic, signedPayload, {
    properties,
    now,
    ...(nonce !== undefined && { nonce }),
    ...(keyId !== undefined && { keyId }),
  });
  const userProperties = [...(properties.userProperties ?? []), ["mess-signature", signature] as const];
  return publishPacket(topic, "x", packetId, { ...properties, userProperties });
}

/** All that comes until `count` packets are there: signatures are verified on other threads. */
async function receive(door: Door, client: DoorClient, count: number): Promise<Packet[]> {
  const packets: Packet[] = [];
  const deadline = performance.now() + 5_000;
  while (packets.length < count && performance.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
    door.commit();
    packets.push(...client.received());
  }
  return packets;
}

describe("a signed PUBLISH", () => {
  test("is taken, and its signature goes to consumers as it came, beside the other properties", async () => {
    const door = opened("required");
    const reader = reading(door, "reader");
    const client = door.connected("c");
    const wish = {
      contentType: "text/plain",
      userProperties: [["unit", "C"] as const],
      correlationData: Uint8Array.of(49),
    };
    const packet = signed(door, "a/b", 1, wish);
    client.send(packet);
    expect(reasons(await receive(door, client, 1))).toEqual([[1, 0, ""]]);
    const [came] = (await receive(door, reader, 1)) as PublishPacket[];
    expect(came).toMatchObject({ topic: "a/b", properties: (packet as PublishPacket).properties });
  });

  test.each<[string, Wish, string, number]>([
    ["one that was made for another payload", { signedPayload: "y" }, "a/b", 1],
    ["one that was made for another topic", { signedTopic: "a/c" }, "a/b", 1],
    ["a key that is not known", { keyId: "sk_other" }, "a/b", 1],
    ["a text that is no signature", {}, "a/b", 1],
  ])("with %s is refused and told why, and audited", async (what, wish, topic) => {
    const door = opened();
    const client = door.connected("c");
    client.send(
      what.includes("text")
        ? publishPacket(topic, "x", 1, saying(["mess-signature", "x"]))
        : signed(door, topic, 1, wish),
    );
    const [answer] = reasons(await receive(door, client, 1));
    expect(answer).toEqual([1, notAuthorized, expect.stringMatching(/^sig\.bad: /)]);
    expect(door.world.audited).toContain("sig.bad");
    expect(client.isClosed).toBe(false);
  });

  test("by the key of another principal is refused (THREATS A16)", async () => {
    const door = opened();
    const client = door.connected("c", { username: "q" });
    client.send(signed(door, "a/b", 1));
    expect(reasons(await receive(door, client, 1))).toEqual([
      [1, notAuthorized, 'sig.bad: "q" has no signing key "sk_test"'],
    ]);
  });

  test("is not looked at where its topic wants none, and goes on all the same", async () => {
    const door = opened("none");
    const reader = reading(door, "reader");
    const client = door.connected("c", { username: "q" });
    client.send(publishPacket("a/b", "x", 1, saying(["mess-signature", "of somebody else"])));
    expect(reasons(await receive(door, client, 1))).toEqual([[1, 0, ""]]);
    expect(await receive(door, reader, 1)).toMatchObject([
      { properties: saying(["mess-signature", "of somebody else"]) },
    ]);
  });

  test("of QoS 0 is stored too; one that is refused ends the connection", async () => {
    const door = opened();
    const reader = reading(door, "reader");
    const client = door.connected("c");
    const packet = { ...(signed(door, "a/b", 0) as PublishPacket), qos: 0 } as const;
    client.send(packet);
    expect(await receive(door, reader, 1)).toMatchObject([{ type: PacketType.PUBLISH, topic: "a/b" }]);
    client.send(packet);
    expect(await receive(door, client, 1)).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: notAuthorized }]);
    expect(client.isClosed).toBe(true);
  });

  test("of QoS 2 is held until its release", async () => {
    const door = opened();
    const reader = reading(door, "reader");
    const client = door.connected("c");
    const packet = { ...(signed(door, "a/b", 7) as PublishPacket), qos: 2 } as const;
    client.send(packet);
    expect(await receive(door, client, 1)).toMatchObject([{ type: PacketType.PUBREC, packetId: 7 }]);
    client.send({ ...packet, dup: true });
    expect(await receive(door, client, 1)).toMatchObject([{ type: PacketType.PUBREC, packetId: 7, reasonCode: 0 }]);
    client.send({ type: PacketType.PUBREL, packetId: 7, reasonCode: 0 });
    expect(await receive(door, client, 1)).toMatchObject([{ type: PacketType.PUBCOMP, packetId: 7 }]);
    client.send({ ...packet, dup: true });
    expect(await receive(door, client, 1)).toMatchObject([{ type: PacketType.PUBREC, reasonCode: notAuthorized }]);
    expect((await receive(door, reader, 1)).length).toBe(1);
  });

  test("is acknowledged once more and stored once when it comes again as DUP, and refused when it does not", async () => {
    const door = opened("required");
    const reader = reading(door, "reader");
    const client = door.connected("c");
    const packet = signed(door, "a/b", 7) as PublishPacket;
    client.send(packet, { ...packet, dup: true }, packet, { ...packet, packetId: 8, dup: true });
    expect(reasons(await receive(door, client, 4))).toEqual([
      [7, 0, ""],
      [7, 0, ""],
      [7, notAuthorized, expect.stringContaining("sig.replay")],
      [8, notAuthorized, expect.stringContaining("sig.replay")],
    ]);
    expect((await receive(door, reader, 1)).length).toBe(1);
  });

  test("by a topic alias is signed for the topic that it stands for", async () => {
    const door = opened("required");
    const client = door.connected("c");
    const first = signed(door, "a/b", 1) as PublishPacket;
    client.send({ ...first, properties: { ...first.properties, topicAlias: 1 } });
    const second = signed(door, "a/b", 2) as PublishPacket;
    client.send({ ...second, topic: "", properties: { ...second.properties, topicAlias: 1 } });
    const third = signed(door, "", 3) as PublishPacket;
    client.send({ ...third, properties: { ...third.properties, topicAlias: 1 } });
    expect(reasons(await receive(door, client, 3)).map(([id, code]) => [id, code])).toEqual([
      [1, 0x10],
      [2, 0x10],
      [3, notAuthorized],
    ]);
  });
});

describe("while a signature is verified", () => {
  interface Asked {
    readonly message: SignedMessage;
    readonly answer: (verdict: SignatureVerdict) => void;
  }

  function slow(limits = {}): { door: Door; asked: Asked[] } {
    const asked: Asked[] = [];
    const verify = (message: SignedMessage): Promise<SignatureVerdict> =>
      new Promise((answer) => asked.push({ message, answer }));
    return { door: new Door({ signatures: { verify }, limits }), asked };
  }

  let nonces = 0;
  const good = (): SignatureVerdict => ({
    nonce: { keyId: "sk_a", nonce: Buffer.alloc(16, ++nonces), issuedAt: Math.floor(1_700_000_000) },
  });
  const bearing = (topic: string, payload: string, packetId: number): Packet =>
    publishPacket(topic, payload, packetId, saying(["mess-signature", payload.slice(0, 9)]));
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test("what its connection sent behind waits, in order, and is not read; others go on", async () => {
    const { door, asked } = slow();
    const reader = reading(door, "reader");
    const client = door.connected("c");
    client.send(
      publishPacket("a", "1", 1),
      bearing("a", "2", 2),
      publishPacket("a", "3", 3),
      { ...(publishPacket("a", "4", 0) as PublishPacket), qos: 0 },
      bearing("a", "5", 5),
      publishPacket("b", "6", 6),
      { type: PacketType.PINGREQ },
    );
    expect(client.transport.isPaused).toBe(true);
    door.connected("other").send(publishPacket("a", "other", 1));
    door.commit();
    expect(reasons(client.received())).toEqual([[1, 0, ""]]);
    // Bytes that were on their way already.
    client.send(publishPacket("b", "7", 7));
    asked[0]?.answer(good());
    await turn();
    door.commit();
    expect(asked.map(({ message }) => message.signature)).toEqual(["2", "5"]);
    expect(client.transport.isPaused).toBe(true);
    asked[1]?.answer(signatureFault("sig.bad", "no"));
    await turn();
    door.commit();
    expect(client.transport.isPaused).toBe(false);
    const answers = client.received();
    expect(
      answers.at(-1)?.type === PacketType.PINGRESP || answers.some(({ type }) => type === PacketType.PINGRESP),
    ).toBe(true);
    expect(reasons(answers.filter(({ type }) => type === PacketType.PUBACK))).toEqual([
      [2, 0, ""],
      [3, 0, ""],
      [5, notAuthorized, "sig.bad: no"],
      [6, 0, ""],
      [7, 0, ""],
    ]);
    const came = reader.received() as PublishPacket[];
    // QoS 0 waits for no disk.
    const live = came.filter(({ qos }) => qos === 0);
    expect(came.filter(({ qos }) => qos === 1).map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      "1",
      "other",
      "2",
      "3",
      "6",
      "7",
    ]);
    expect(live.length).toBe(1);
  });

  test("one that comes too early is refused before its signature is looked at", async () => {
    const { door, asked } = slow({ clientMessagesPerSecondMax: 2 });
    const client = door.connected("c");
    for (const id of [1, 2, 3]) {
      client.send(bearing("a", `${id}`, id));
      asked.at(-1)?.answer(good());
      await turn();
    }
    door.commit();
    expect(asked.map(({ message }) => message.signature)).toEqual(["1", "2"]);
    expect(reasons(client.received())).toEqual([
      [1, 0x10, ""],
      [2, 0x10, ""],
      [3, ReasonCode.QuotaExceeded, expect.stringContaining("2 messages a second from one client")],
    ]);
  });

  test("one that fails counts against the rate like any other", async () => {
    const { door, asked } = slow({ clientMessagesPerSecondMax: 2 });
    const client = door.connected("c");
    for (const id of [1, 2, 3]) {
      client.send(bearing("a", `${id}`, id));
      asked.at(-1)?.answer(signatureFault("sig.bad", "no"));
      await turn();
    }
    expect(asked.length).toBe(2);
    const codes = reasons(client.received()).map(([, code]) => code);
    expect(codes).toEqual([notAuthorized, notAuthorized, ReasonCode.QuotaExceeded]);
  });

  test.each(["answer", "time"])(
    "who has to wait for its rate too goes on when both are over: first the %s",
    async (first) => {
      const { door, asked } = slow({ clientMessagesPerSecondMax: 2 });
      const reader = reading(door, "reader");
      const client = door.connected("c");
      // What is marked as sent again is not refused: it goes into debt.
      const again = (packet: Packet): Packet => ({ ...packet, dup: true }) as Packet;
      const plain = (payload: string): Packet => again(publishPacket("a", payload, Number(payload)));
      const seen: string[] = [];
      const pass = async (what: string): Promise<void> => {
        if (what === "time") for (let i = 0; i < 100; i++) door.wait(20);
        else {
          asked[0]?.answer(good());
          await turn();
          door.commit();
        }
        seen.push(...payloadsOf(reader.received()));
      };
      client.send(plain("1"), again(bearing("a", "2", 2)), plain("3"));
      expect(asked.length).toBe(1);
      client.send(plain("4"));
      await pass(first);
      expect(seen).toEqual(first === "time" ? ["1"] : ["1", "2"]);
      expect(client.transport.isPaused).toBe(true);
      await pass(first === "time" ? "answer" : "time");
      expect(seen).toEqual(["1", "2", "3", "4"]);
      await pass("time");
      expect([client.transport.isPaused, client.isClosed]).toEqual([false, false]);
    },
  );

  test("a connection that ends takes nothing with it, and gives back what it held", async () => {
    const { door, asked } = slow({ signedBytesMax: 65_536 });
    const reader = reading(door, "reader");
    for (let round = 0; round < 20; round++) {
      const client = door.connected(`c${round}`);
      client.send(bearing("a", "x".repeat(9_000), 1), publishPacket("a", "y".repeat(20_000), 2));
      client.transport.cut();
      asked[round]?.answer(good());
      await turn();
    }
    door.commit();
    expect(reader.received()).toEqual([]);
    expect(door.audited.filter(({ event }) => event === "sig.busy")).toEqual([]);
  });

  test("no more than so many bytes wait: others are refused, and taken again later", async () => {
    const { door, asked } = slow({ signedBytesMax: 65_536 });
    const clients = Array.from({ length: 4 }, (_, i) => door.connected(`c${i}`));
    for (const client of clients) client.send(bearing("a", "x".repeat(20_000), 1));
    door.commit();
    expect(asked.length).toBe(3);
    const last = clients[3] as DoorClient;
    expect(reasons(last.received())).toEqual([[1, ReasonCode.QuotaExceeded, expect.stringContaining("sig.busy")]]);
    expect(door.audited.at(-1)?.event).toBe("sig.busy");
    for (const { answer } of asked.splice(0)) answer(good());
    await turn();
    last.send(bearing("a", "x", 2));
    expect(asked.length).toBe(1);
  });

  test("thousands in one piece of input are not copied thousands of times", async () => {
    const { door, asked } = slow();
    const client = door.connected("c");
    const count = 3_000;
    let confirmed = 0;
    client.send(
      ...Array.from({ length: count }, (_, i) => ({
        ...(bearing("a", "x".repeat(300), i + 1) as PublishPacket),
        qos: 0 as const,
        packetId: 0,
      })),
    );
    const before = performance.now();
    while (confirmed < count) {
      const next = asked.shift();
      if (next === undefined) await turn();
      else {
        next.answer({ nonce: undefined });
        confirmed++;
      }
    }
    await turn();
    door.commit();
    expect(client.transport.isPaused).toBe(false);
    // A copy of the rest each time would be four gigabytes.
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});
