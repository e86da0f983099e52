import { type Packet, PacketType, type Properties, ReasonCode } from "@mess/wire";
import { describe, expect, test } from "vitest";
import type { Authenticator, Exchange, ExchangeStep, Refused, Verdict } from "../../../model/authentication.ts";
import { Door, type DoorClient, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

const who: Verdict = { principal: "dev", keyId: "jwt:a:b", method: "jwt" };
const no: Refused = { refused: "no" };

/** Every check takes time: until the test answers it. */
class SlowAuthenticator implements Authenticator {
  readonly methods: readonly string[] = [];
  readonly checks: ((verdict: Verdict) => Promise<void>)[] = [];

  authenticate(): Promise<Verdict> {
    return new Promise((resolve) => {
      this.checks.push(async (verdict) => {
        resolve(verdict);
        await settled();
      });
    });
  }

  begin(): Refused {
    return no;
  }

  answer(verdict: Verdict): Promise<void> {
    return this.checks.shift()?.(verdict) ?? Promise.reject(new Error("nothing was asked"));
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

function slowDoor(limits = {}): { door: Door; slow: SlowAuthenticator } {
  const slow = new SlowAuthenticator();
  return { door: new Door({ authenticator: slow, limits }), slow };
}

/** A watcher of everything, let in at once. */
async function watcher(door: Door, slow: SlowAuthenticator): Promise<DoorClient> {
  const client = door.client().connect({ clientId: "w" });
  await slow.answer(who);
  door.commit();
  client.send(subscribePacket(1, "#"));
  door.commit();
  client.received();
  return client;
}

describe("a check that takes time", () => {
  test("CONNACK comes when it is over, and what was sent behind CONNECT counts then, in order", async () => {
    const { door, slow } = slowDoor();
    const reader = await watcher(door, slow);
    const client = door.client().connect();
    client.send(publishPacket("a", "1"), publishPacket("a", "2"));
    client.send(publishPacket("a", "3", 7));
    door.commit();
    expect([client.received(), reader.received(), client.transport.isPaused]).toEqual([[], [], true]);
    await slow.answer(who);
    door.commit();
    expect(client.types()).toEqual([PacketType.CONNACK, PacketType.PUBACK]);
    expect(payloadsOf(reader.received())).toEqual(["1", "2", "3"]);
    expect([door.mqtt.preAuthBytes(), client.transport.isPaused]).toEqual([0, false]);
  });

  for (const split of [true, false]) {
    test(`nothing sent behind a refused CONNECT has an effect, ${split ? "piece by piece" : "in one chunk"}`, async () => {
      const { door, slow } = slowDoor();
      const reader = await watcher(door, slow);
      const client = door.client();
      const connect: Packet = {
        type: PacketType.CONNECT,
        version: 5,
        cleanStart: true,
        keepAlive: 60,
        clientId: "c",
        will: { topic: "will", payload: Buffer.from("will"), qos: 1, retain: true },
      };
      const behind = [publishPacket("a", "smuggled"), publishPacket("a", "too", 3), subscribePacket(4, "#")];
      if (split) for (const packet of [connect, ...behind]) client.send(packet);
      else client.send(connect, ...behind);
      await slow.answer(no);
      door.commit();
      expect(client.received()).toMatchObject([
        { type: PacketType.CONNACK, reasonCode: ReasonCode.NotAuthorized, properties: { reasonString: "no" } },
      ]);
      expect([client.isClosed, reader.received(), door.mqtt.preAuthBytes()]).toEqual([true, [], 0]);
    });
  }

  test("the CONNECT deadline goes on, and an answer that comes after it changes nothing", async () => {
    const { door, slow } = slowDoor();
    const client = door.client().connect();
    door.wait(4_999);
    expect(client.isClosed).toBe(false);
    door.wait(1);
    expect([client.isClosed, door.mqtt.counters.connectDeadlines]).toEqual([true, 1]);
    await slow.answer(who);
    door.commit();
    expect([client.received(), door.links.length, door.mqtt.preAuthBytes()]).toEqual([[], 0, 0]);
  });

  test("a connection that breaks meanwhile is never let in", async () => {
    const { door, slow } = slowDoor();
    const client = door.client().connect();
    client.transport.cut();
    await slow.answer(who);
    door.commit();
    expect([door.links.length, door.mqtt.connections(), door.mqtt.preAuthBytes()]).toEqual([0, 0, 0]);
  });

  test("one connection makes the broker hold no more than its share behind CONNECT", () => {
    const { door } = slowDoor({ connectPacketBytesMax: 256 });
    const client = door.client().connect();
    client.sendBytes(Buffer.alloc(256));
    expect([client.isClosed, door.mqtt.preAuthBytes() > 256]).toEqual([false, true]);
    client.sendBytes(Buffer.alloc(1));
    expect(client.received()).toMatchObject([{ type: PacketType.CONNACK, reasonCode: ReasonCode.QuotaExceeded }]);
    expect([client.isClosed, door.mqtt.preAuthBytes()]).toEqual([true, 0]);
    expect(door.audited).toMatchObject([{ event: "limit.hit", detail: { limit: "connectPacketBytesMax" } }]);
  });

  test("all that wait hold no more than may be held of strangers", () => {
    const { door } = slowDoor({ preAuthBytesMax: 300 });
    const clients = [1, 2].map(() => door.client().connect({ clientId: "x".repeat(100) }));
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false]);
    expect(door.client().connect({ clientId: "x".repeat(100) }).isClosed).toBe(true);
    expect(door.audited).toMatchObject([{ event: "limit.hit", detail: { limit: "preAuthBytesMax" } }]);
  });

  test("who is refused unasked hears why: too often, or too many at a time", async () => {
    const { door, slow } = slowDoor();
    const codes: unknown[] = [];
    for (const verdict of [{ ...no, retryAfterMs: 5 }, { ...no, busy: true }, no]) {
      const client = door.client().connect({ username: "u" });
      await slow.answer(verdict);
      codes.push(...client.received().map((packet) => "reasonCode" in packet && packet.reasonCode));
    }
    expect(codes).toEqual([ReasonCode.ConnectionRateExceeded, ReasonCode.ServerBusy, ReasonCode.BadUserNameOrPassword]);
  });
});

/** A method that adds up: the client says numbers, and is let in by 42. Slow when told so. */
class Adding implements Authenticator {
  readonly methods: readonly string[] = ["ADD"];
  readonly isSlow: boolean;
  principal = "dev";

  constructor(isSlow: boolean) {
    this.isSlow = isSlow;
  }

  authenticate(): Verdict {
    return who;
  }

  begin(method: string): Exchange | Refused {
    if (method !== "ADD") return { refused: "no such method" };
    let sum = 0;
    return {
      next: (data) => {
        sum += Number(Buffer.from(data).toString());
        const step = this.#step(sum);
        return this.isSlow ? settled().then(() => step) : step;
      },
    };
  }

  #step(sum: number): ExchangeStep {
    if (sum > 42) return no;
    if (sum < 42) return { challenge: Buffer.from(`${42 - sum} to go`) };
    const { principal } = this;
    return { identity: { principal, keyId: "password:dev", method: "scram" }, data: Buffer.from("done") };
  }
}

function auth(reasonCode: number, data: string, authenticationMethod = "ADD"): Packet {
  return {
    type: PacketType.AUTH,
    reasonCode,
    properties: { authenticationMethod, authenticationData: new Uint8Array(Buffer.from(data)) },
  };
}

const naming = { properties: { authenticationMethod: "ADD", authenticationData: Buffer.from("40") } };
const goOn = ReasonCode.ContinueAuthentication;
const anew = ReasonCode.ReAuthenticate;

for (const isSlow of [false, true]) {
  describe(`a method of several steps, ${isSlow ? "each of which takes time" : "each at once"}`, () => {
    async function addingDoor(properties: Properties = {}): Promise<{
      door: Door;
      client: DoorClient;
      adding: Adding;
      sent(): Promise<Packet[]>;
    }> {
      const adding = new Adding(isSlow);
      const door = new Door({ authenticator: adding });
      const client = door.client();
      const sent = async (): Promise<Packet[]> => {
        await settled();
        await settled();
        door.commit();
        return client.received();
      };
      client.connect({ properties: { ...naming.properties, ...properties } });
      return { door, client, adding, sent };
    }

    test("[MQTT-4.12.0-2] [MQTT-4.12.0-5] AUTH until the client is known, then CONNACK; each names the method", async () => {
      const { client, sent } = await addingDoor();
      expect(await sent()).toEqual([auth(goOn, "2 to go")]);
      client.send(auth(goOn, "1"));
      expect(await sent()).toEqual([auth(goOn, "1 to go")]);
      client.send(auth(goOn, "1"));
      expect(await sent()).toMatchObject([
        {
          type: PacketType.CONNACK,
          reasonCode: 0,
          properties: { authenticationMethod: "ADD", authenticationData: new Uint8Array(Buffer.from("done")) },
        },
      ]);
      client.send(publishPacket("a", "x", 1));
      expect((await sent()).map(({ type }) => type)).toEqual([PacketType.PUBACK]);
    });

    test("[MQTT-4.12.0-4] who is not believed gets a CONNACK with an error, then the end", async () => {
      const { client, sent } = await addingDoor();
      await sent();
      client.send(auth(goOn, "99"));
      expect(await sent()).toMatchObject([{ type: PacketType.CONNACK, reasonCode: ReasonCode.BadUserNameOrPassword }]);
      expect(client.isClosed).toBe(true);
    });

    for (const [name, packet] of [
      ["PUBLISH", publishPacket("a", "x")],
      ["SUBSCRIBE", subscribePacket(1, "a")],
      ["PINGREQ", { type: PacketType.PINGREQ }],
      ["PUBACK", { type: PacketType.PUBACK, packetId: 1, reasonCode: 0 }],
      ["AUTH of another method", auth(goOn, "2", "OTHER")],
      ["AUTH that begins anew", auth(anew, "2")],
    ] as [string, Packet][]) {
      test(`[MQTT-3.1.2-30] ${name} before it is over is a protocol error`, async () => {
        const { door, client, sent } = await addingDoor();
        await sent();
        client.send(packet, auth(goOn, "2"));
        expect(await sent()).toMatchObject([{ type: PacketType.CONNACK, reasonCode: ReasonCode.ProtocolError }]);
        expect([client.isClosed, door.links.length, door.mqtt.preAuthBytes()]).toEqual([true, 0, 0]);
      });
    }

    test("[MQTT-3.1.2-30] DISCONNECT before it is over is an end without a word", async () => {
      const { client, sent } = await addingDoor();
      await sent();
      client.send({ type: PacketType.DISCONNECT, reasonCode: 0 });
      expect([await sent(), client.isClosed]).toEqual([[], true]);
    });

    test("whoever does not go on meets the CONNECT deadline", async () => {
      const { door, client, sent } = await addingDoor();
      await sent();
      door.wait(5_000);
      expect([client.isClosed, door.mqtt.counters.connectDeadlines, door.mqtt.preAuthBytes()]).toEqual([true, 1, 0]);
    });

    test("a packet larger than a CONNECT may be is refused until then", async () => {
      const { client, sent } = await addingDoor();
      await sent();
      client.send(auth(goOn, "0".repeat(20_000)));
      expect(await sent()).toMatchObject([{ type: PacketType.CONNACK, reasonCode: ReasonCode.PacketTooLarge }]);
    });

    async function inside(): ReturnType<typeof addingDoor> {
      const opened = await addingDoor();
      await opened.sent();
      opened.client.send(auth(goOn, "2"));
      await opened.sent();
      return opened;
    }

    test("a re-authentication ends with AUTH 0x00, and everything goes on meanwhile [MQTT 5.0 section 4.12.1]", async () => {
      const { client, sent } = await inside();
      client.send(auth(anew, "40"), publishPacket("a", "x", 1));
      const [first, second] = (await sent()).sort((a, b) => b.type - a.type);
      expect([first, second?.type]).toEqual([auth(goOn, "2 to go"), PacketType.PUBACK]);
      client.send(auth(goOn, "2"));
      expect(await sent()).toEqual([auth(0, "done")]);
      client.send(auth(anew, "42"));
      expect(await sent()).toEqual([auth(0, "done")]);
    });

    test("one that begins before CONNACK is out ends the connection", async () => {
      // What lasts is written down first: CONNACK waits for the disk.
      const { door, client } = await addingDoor({ sessionExpiryInterval: 60 });
      await settled();
      await settled();
      client.send(auth(goOn, "2"));
      await settled();
      await settled();
      client.send(auth(anew, "42"));
      await settled();
      door.commit();
      expect([client.isClosed, client.types()]).toEqual([true, [PacketType.AUTH]]);
    });

    for (const [name, packets, code] of [
      ["that fails", [auth(anew, "99")], ReasonCode.NotAuthorized],
      ["of another method [MQTT-4.12.1-1]", [auth(anew, "42", "OTHER")], ReasonCode.ProtocolError],
      ["that begins twice", [auth(anew, "1"), auth(anew, "1")], ReasonCode.ProtocolError],
      ["that never began", [auth(goOn, "42")], ReasonCode.ProtocolError],
    ] as [string, Packet[], number][]) {
      test(`[MQTT-4.12.1-2] a re-authentication ${name} ends the connection`, async () => {
        const { client, sent } = await inside();
        client.send(...packets);
        const last = (await sent()).at(-1);
        expect(last).toMatchObject({ type: PacketType.DISCONNECT, reasonCode: code });
        expect(client.isClosed).toBe(true);
      });
    }

    test.runIf(isSlow)("AUTH before the one before it was answered ends the connection", async () => {
      const { client, sent } = await inside();
      client.send(auth(anew, "40"));
      await sent();
      client.send(auth(goOn, "1"), auth(goOn, "1"));
      expect((await sent()).at(-1)).toMatchObject({ reasonCode: ReasonCode.ProtocolError });
    });

    test("a re-authentication as somebody else ends the connection", async () => {
      const { door, client, adding, sent } = await inside();
      adding.principal = "other";
      client.send(auth(anew, "42"));
      expect(await sent()).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: ReasonCode.NotAuthorized }]);
      expect(door.audited.map(({ event }) => event)).toEqual(["auth.other"]);
    });
  });
}

test("[MQTT-4.12.0-1] an unknown method is refused with 0x8C", () => {
  const door = new Door({ authenticator: new Adding(false) });
  const client = door.client().connect({ properties: { authenticationMethod: "GSSAPI" } });
  expect(client.received()).toMatchObject([
    { type: PacketType.CONNACK, reasonCode: ReasonCode.BadAuthenticationMethod },
  ]);
});

test("[MQTT-4.12.0-7] AUTH without a method in CONNECT is a protocol error", () => {
  const door = new Door({ authenticator: new Adding(false) });
  const client = door.connected("c");
  client.send(auth(anew, "42"));
  expect(client.received()).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: ReasonCode.ProtocolError }]);
});
