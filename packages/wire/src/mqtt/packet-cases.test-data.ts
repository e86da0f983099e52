/** Legal packets: bytes and meaning. One table drives decoding and encoding. */

import { type Packet, PacketType, type Subscription } from "./packet.ts";
import { packetBytes } from "./packet-bytes.test-data.ts";

export interface PacketCase {
  name: string;
  /** Who receives it. */
  role: "server" | "client";
  version: 4 | 5;
  bytes: Uint8Array;
  packet: Packet;
  /** False where the encoder would write the same packet in another form. */
  canonical: boolean;
}

type Options = { canonical?: boolean };

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const plain = (filter: string, qos: 0 | 1 | 2): Subscription => ({
  filter,
  qos,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
});

export const packetCases: PacketCase[] = [];

function both(version: 4 | 5, name: string, text: string, packet: Packet, options: Options = {}): void {
  toServer(version, name, text, packet, options);
  toClient(version, name, text, packet, options);
}

function toServer(version: 4 | 5, name: string, text: string, packet: Packet, options: Options = {}): void {
  const canonical = options.canonical ?? true;
  packetCases.push({ name, role: "server", version, bytes: packetBytes(text), packet, canonical });
}

function toClient(version: 4 | 5, name: string, text: string, packet: Packet, options: Options = {}): void {
  const canonical = options.canonical ?? true;
  packetCases.push({ name, role: "client", version, bytes: packetBytes(text), packet, canonical });
}

// CONNECT
const connect = { type: PacketType.CONNECT, cleanStart: true, keepAlive: 60, clientId: "c" } as const;
toServer(4, "CONNECT, smallest", "10 L 'MQTT' 04 02 #60 'c'", { ...connect, version: 4 });
toServer(4, "CONNECT with an empty client id", "10 L 'MQTT' 04 02 #60 ''", { ...connect, version: 4, clientId: "" });
toServer(4, "CONNECT, user name only", "10 L 'MQTT' 04 80 #0 'c' 'u'", {
  ...connect,
  version: 4,
  cleanStart: false,
  keepAlive: 0,
  username: "u",
});
toServer(4, "CONNECT with everything", "10 L 'MQTT' 04 f6 #65535 'c' 'w/t' 'bye' 'u' 'p'", {
  ...connect,
  version: 4,
  keepAlive: 65_535,
  will: { topic: "w/t", payload: utf8("bye"), qos: 2, retain: true },
  username: "u",
  password: utf8("p"),
});
toServer(5, "CONNECT, smallest", "10 L 'MQTT' 05 02 #60 { } 'c'", { ...connect, version: 5 });
toServer(5, "CONNECT, password without user name", "10 L 'MQTT' 05 42 #60 { } 'c' 'p'", {
  ...connect,
  version: 5,
  password: utf8("p"),
});
toServer(
  5,
  "CONNECT with every property",
  `10 L 'MQTT' 05 0e #60
   { 11 ##100 15 'SCRAM' 16 #2 de ad 17 00 19 01 21 #10 22 #3 26 'k' 'v' 26 'k' '2' 27 ##1000 } 'c'
   { 01 01 02 ##20 03 'text/plain' 08 're/ply' 09 'id' 18 ##5 26 'a' '' } 'w' ''`,
  {
    ...connect,
    version: 5,
    properties: {
      sessionExpiryInterval: 100,
      authenticationMethod: "SCRAM",
      authenticationData: Uint8Array.of(0xde, 0xad),
      requestProblemInformation: false,
      requestResponseInformation: true,
      receiveMaximum: 10,
      topicAliasMaximum: 3,
      userProperties: [
        ["k", "v"],
        ["k", "2"],
      ],
      maximumPacketSize: 1000,
    },
    will: {
      topic: "w",
      payload: utf8(""),
      qos: 1,
      retain: false,
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 20,
        contentType: "text/plain",
        responseTopic: "re/ply",
        correlationData: utf8("id"),
        willDelayInterval: 5,
        userProperties: [["a", ""]],
      },
    },
  },
);

// CONNACK
const connack = { type: PacketType.CONNACK, sessionPresent: false, reasonCode: 0 } as const;
toClient(4, "CONNACK", "20 L 01 00", { ...connack, sessionPresent: true });
toClient(4, "CONNACK, refused", "20 L 00 05", { ...connack, reasonCode: 0x87 });
toClient(5, "CONNACK", "20 L 00 00 { }", connack);
toClient(5, "CONNACK, refused with a reason", "20 L 00 87 { 1f 'no' }", {
  ...connack,
  reasonCode: 0x87,
  properties: { reasonString: "no" },
});
toClient(
  5,
  "CONNACK with every property",
  `20 L 01 00 { 11 ##4294967295 12 'given' 13 #30 15 'm' 16 #1 00 1a 'info' 1c 'other' 1f 'fine'
    21 #1 22 #65535 24 01 25 00 26 'k' 'v' 27 ##1 28 01 29 00 2a 01 }`,
  {
    ...connack,
    sessionPresent: true,
    properties: {
      sessionExpiryInterval: 4_294_967_295,
      assignedClientIdentifier: "given",
      serverKeepAlive: 30,
      authenticationMethod: "m",
      authenticationData: Uint8Array.of(0),
      responseInformation: "info",
      serverReference: "other",
      reasonString: "fine",
      receiveMaximum: 1,
      topicAliasMaximum: 65_535,
      maximumQoS: 1,
      retainAvailable: false,
      userProperties: [["k", "v"]],
      maximumPacketSize: 1,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifierAvailable: false,
      sharedSubscriptionAvailable: true,
    },
  },
);

// PUBLISH
const publish = {
  type: PacketType.PUBLISH,
  topic: "a/b",
  payload: utf8("x"),
  qos: 0,
  retain: false,
  dup: false,
} as const;
both(4, "PUBLISH QoS 0", `30 L 'a/b' "x"`, publish);
both(4, "PUBLISH without payload, retained", "31 L 'a/b'", { ...publish, payload: utf8(""), retain: true });
both(4, "PUBLISH QoS 1", `32 L 'a/b' #1 "x"`, { ...publish, qos: 1, packetId: 1 });
both(4, "PUBLISH QoS 2, DUP, retained", `3d L 'a/b' #65535 "x"`, {
  ...publish,
  qos: 2,
  dup: true,
  retain: true,
  packetId: 65_535,
});
both(5, "PUBLISH QoS 0", `30 L 'a/b' { } "x"`, publish);
both(5, "PUBLISH to a topic in many scripts", `30 L 'é/日本/🎈/\u{feff}' { } "x"`, {
  ...publish,
  topic: "é/日本/🎈/\u{feff}",
});
both(5, "PUBLISH QoS 1", `3a L 'a/b' #258 { } "x"`, { ...publish, qos: 1, dup: true, packetId: 258 });
both(5, "PUBLISH by alias", `30 L '' { 23 #2 } "x"`, { ...publish, topic: "", properties: { topicAlias: 2 } });
both(
  5,
  "PUBLISH with every property",
  `34 L 'a/b' #7 { 01 00 02 ##0 03 '' 08 'r' 09 #0 23 #10 26 '' '' 26 'k' 'v' 26 'k' 'w' } "x"`,
  {
    ...publish,
    qos: 2,
    packetId: 7,
    properties: {
      payloadFormatIndicator: 0,
      messageExpiryInterval: 0,
      contentType: "",
      responseTopic: "r",
      correlationData: utf8(""),
      topicAlias: 10,
      userProperties: [
        ["", ""],
        ["k", "v"],
        ["k", "w"],
      ],
    },
  },
);
both(
  5,
  "PUBLISH with its properties in another order",
  `30 L 'a/b' { 26 'k' 'v' 23 #1 03 't' 02 ##9 26 'k' '2' } "x"`,
  {
    ...publish,
    properties: {
      messageExpiryInterval: 9,
      contentType: "t",
      topicAlias: 1,
      userProperties: [
        ["k", "v"],
        ["k", "2"],
      ],
    },
  },
  { canonical: false },
);
toClient(5, "PUBLISH with subscription identifiers", `30 L 'a/b' { 0b 01 0b ff ff ff 7f 0b 80 01 } "x"`, {
  ...publish,
  properties: { subscriptionIdentifiers: [1, 268_435_455, 128] },
});

// PUBACK, PUBREC, PUBREL, PUBCOMP
for (const [type, first] of [
  [PacketType.PUBACK, "40"],
  [PacketType.PUBREC, "50"],
  [PacketType.PUBREL, "62"],
  [PacketType.PUBCOMP, "70"],
] as const) {
  const ack = { type, packetId: 513, reasonCode: 0 };
  const error = type < PacketType.PUBREL ? "97" : "92";
  both(4, `ack ${type}`, `${first} L #513`, ack);
  both(5, `ack ${type}`, `${first} L #513`, ack);
  both(5, `ack ${type} with code`, `${first} L #513 ${error}`, { ...ack, reasonCode: Number.parseInt(error, 16) });
  both(5, `ack ${type}, long form of success`, `${first} L #513 00`, ack, { canonical: false });
  both(5, `ack ${type}, no properties`, `${first} L #513 00 { }`, ack, { canonical: false });
  both(5, `ack ${type} with properties`, `${first} L #513 ${error} { 1f 'why' 26 'k' 'v' }`, {
    ...ack,
    reasonCode: Number.parseInt(error, 16),
    properties: { reasonString: "why", userProperties: [["k", "v"]] },
  });
}
toClient(5, "PUBACK, no subscribers", "40 L #1 10", { type: PacketType.PUBACK, packetId: 1, reasonCode: 0x10 });

// SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK
const subscribe = { type: PacketType.SUBSCRIBE, packetId: 10 } as const;
toServer(4, "SUBSCRIBE", "82 L #10 'a/#' 01 '+' 02 '$share/g/t' 00", {
  ...subscribe,
  subscriptions: [plain("a/#", 1), plain("+", 2), plain("$share/g/t", 0)],
});
toServer(5, "SUBSCRIBE with all options", "82 L #10 { 0b 81 01 26 'k' 'v' } 'a' 2e 'b' 11", {
  ...subscribe,
  subscriptions: [
    { filter: "a", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
    { filter: "b", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 1 },
  ],
  properties: { subscriptionIdentifiers: [129], userProperties: [["k", "v"]] },
});
const suback = { type: PacketType.SUBACK, packetId: 10 } as const;
toClient(4, "SUBACK", "90 L #10 00 01 02", { ...suback, reasonCodes: [0, 1, 2] });
toClient(4, "SUBACK, refused", "90 L #10 80", { ...suback, reasonCodes: [0x80] });
toClient(5, "SUBACK", "90 L #10 { 1f 'r' } 00 87 a2", {
  ...suback,
  reasonCodes: [0, 0x87, 0xa2],
  properties: { reasonString: "r" },
});
const unsubscribe = { type: PacketType.UNSUBSCRIBE, packetId: 11 } as const;
toServer(4, "UNSUBSCRIBE", "a2 L #11 'a/#' 'b'", { ...unsubscribe, filters: ["a/#", "b"] });
toServer(5, "UNSUBSCRIBE", "a2 L #11 { 26 'k' 'v' } 'a'", {
  ...unsubscribe,
  filters: ["a"],
  properties: { userProperties: [["k", "v"]] },
});
const unsuback = { type: PacketType.UNSUBACK, packetId: 11 } as const;
toClient(4, "UNSUBACK", "b0 L #11", { ...unsuback, reasonCodes: [] });
toClient(5, "UNSUBACK", "b0 L #11 { } 00 11 87", { ...unsuback, reasonCodes: [0, 0x11, 0x87] });

// PINGREQ, PINGRESP, DISCONNECT, AUTH
for (const version of [4, 5] as const) {
  toServer(version, "PINGREQ", "c0 00", { type: PacketType.PINGREQ });
  toClient(version, "PINGRESP", "d0 00", { type: PacketType.PINGRESP });
  toServer(version, "DISCONNECT", "e0 00", { type: PacketType.DISCONNECT, reasonCode: 0 });
}
const disconnect = { type: PacketType.DISCONNECT, reasonCode: 0 } as const;
toServer(5, "DISCONNECT, long form of success", "e0 L 00", disconnect, { canonical: false });
toServer(5, "DISCONNECT with will", "e0 L 04", { ...disconnect, reasonCode: 4 });
toServer(5, "DISCONNECT with properties", "e0 L 00 { 11 ##0 1f 'r' 26 'k' 'v' }", {
  ...disconnect,
  properties: { sessionExpiryInterval: 0, reasonString: "r", userProperties: [["k", "v"]] },
});
toClient(5, "DISCONNECT by the server", "e0 L 8e", { ...disconnect, reasonCode: 0x8e });
toClient(5, "DISCONNECT, use another server", "e0 L 9c { 1c 'there' }", {
  ...disconnect,
  reasonCode: 0x9c,
  properties: { serverReference: "there" },
});
const auth = { type: PacketType.AUTH, reasonCode: 0x18 } as const;
both(5, "AUTH", "f0 L 18 { 15 'm' 16 'data' }", {
  ...auth,
  properties: { authenticationMethod: "m", authenticationData: utf8("data") },
});
toServer(5, "AUTH again", "f0 L 19 { 15 'm' }", {
  ...auth,
  reasonCode: 0x19,
  properties: { authenticationMethod: "m" },
});
toClient(5, "AUTH, success", "f0 00", { ...auth, reasonCode: 0 });
