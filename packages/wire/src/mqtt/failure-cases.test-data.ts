/** Illegal packets: bytes and the reason code they must fail with. */
import { packetBytes } from "./packet-bytes.test-data.ts";

export interface FailureCase {
  name: string;
  role: "server" | "client";
  /** 0: the connection is not set up. */
  version: 0 | 4 | 5;
  bytes: Uint8Array;
  reasonCode: number;
  packetId: number;
}

export const failureCases: FailureCase[] = [];

function add(
  role: "server" | "client",
  version: 0 | 4 | 5,
  rows: [name: string, text: string, code: number, id?: number][],
): void {
  for (const [name, text, reasonCode, packetId = 0] of rows) {
    failureCases.push({ name, role, version, bytes: packetBytes(text), reasonCode, packetId });
  }
}

add("server", 0, [
  ["first packet is PUBLISH", `30 L 'a' "x"`, 0x82],
  ["first packet is PINGREQ", "c0 00", 0x82],
  ["first packet is CONNACK", "20 L 00 00", 0x82],
  ["first packet is AUTH", "f0 00", 0x82],
  ["type 0", "00 00", 0x81],
  ["CONNECT with flags in its header", "11 L 'MQTT' 04 02 #60 'c'", 0x81],
  ["CONNECT beyond the limit", "10 ff ff ff 7f", 0x95],
  ["remaining length of five bytes", "10 80 80 80 80", 0x81],
  ["remaining length not minimal", "10 8e 00", 0x81],
  ["empty CONNECT", "10 00", 0x81],
  ["wrong protocol name", "10 L 'MQTS' 04 02 #60 'c'", 0x84],
  ["wrong case of protocol name", "10 L 'mqtt' 04 02 #60 'c'", 0x84],
  ["MQTT 3.1", "10 L 'MQIsdp' 03 02 #60 'c'", 0x84],
  ["MQTT 6", "10 L 'MQTT' 06 02 #60 { } 'c'", 0x84],
  ["bridge bit in the level", "10 L 'MQTT' 84 02 #60 'c'", 0x84],
  ["reserved connect flag", "10 L 'MQTT' 04 03 #60 'c'", 0x81],
  ["will QoS without will", "10 L 'MQTT' 04 0a #60 'c'", 0x81],
  ["will retain without will", "10 L 'MQTT' 05 22 #60 { } 'c'", 0x81],
  ["will QoS 3", "10 L 'MQTT' 05 1e #60 { } 'c' { } 'w' ''", 0x81],
  ["will flag without will", "10 L 'MQTT' 04 06 #60 'c'", 0x81],
  ["will topic with wildcard", "10 L 'MQTT' 04 06 #60 'c' 'a/+' ''", 0x90],
  ["will topic empty", "10 L 'MQTT' 05 06 #60 { } 'c' { } '' ''", 0x90],
  ["will response topic with wildcard", "10 L 'MQTT' 05 06 #60 { } 'c' { 08 'a/#' } 'w' ''", 0x90],
  ["password without user name in 3.1.1", "10 L 'MQTT' 04 42 #60 'c' 'p'", 0x81],
  ["user name flag without user name", "10 L 'MQTT' 04 82 #60 'c'", 0x81],
  ["CONNECT with bytes too many", "10 L 'MQTT' 04 02 #60 'c' 00", 0x81],
  ["CONNECT ends in its client id", "10 L 'MQTT' 04 02 #60 #5 61", 0x81],
  ["client id is not UTF-8", "10 L 'MQTT' 04 02 #60 #1 ff", 0x81],
  ["client id with U+0000", "10 L 'MQTT' 04 02 #60 #1 00", 0x81],
  ["user name with a surrogate", "10 L 'MQTT' 04 82 #60 'c' #3 ed a0 80", 0x81],
  ["property length beyond the packet", "10 L 'MQTT' 05 02 #60 7f 'c'", 0x81],
  ["Receive Maximum 0", "10 L 'MQTT' 05 02 #60 { 21 #0 } 'c'", 0x82],
  ["Maximum Packet Size 0", "10 L 'MQTT' 05 02 #60 { 27 ##0 } 'c'", 0x82],
  ["Request Problem Information 2", "10 L 'MQTT' 05 02 #60 { 17 02 } 'c'", 0x82],
  ["Request Response Information 2", "10 L 'MQTT' 05 02 #60 { 19 ff } 'c'", 0x82],
  ["a property twice", "10 L 'MQTT' 05 02 #60 { 11 ##1 11 ##1 } 'c'", 0x82],
  ["a property of another packet", "10 L 'MQTT' 05 02 #60 { 13 #1 } 'c'", 0x82],
  ["a will property in CONNECT", "10 L 'MQTT' 05 02 #60 { 18 ##1 } 'c'", 0x82],
  ["a CONNECT property in a will", "10 L 'MQTT' 05 06 #60 { } 'c' { 21 #1 } 'w' ''", 0x82],
  ["an unknown property", "10 L 'MQTT' 05 02 #60 { 7f } 'c'", 0x81],
  ["property cut by the property length", "10 L 'MQTT' 05 02 #60 { 11 00 00 00 } 'c'", 0x81],
  ["Authentication Data alone", "10 L 'MQTT' 05 02 #60 { 16 'd' } 'c'", 0x82],
  ["four user properties of three", "10 L 'MQTT' 05 02 #60 { 26 '' '' 26 '' '' 26 '' '' 26 '' '' } 'c'", 0x97],
  ["user properties too long", "10 L 'MQTT' 05 02 #60 { 26 '1234567890' '1234567' 26 '' '1234' } 'c'", 0x97],
]);

for (const version of [4, 5] as const) {
  const none = version === 5 ? "{ }" : "";
  add("server", version, [
    ["second CONNECT", "10 L 'MQTT' 04 02 #60 'c'", 0x82],
    ["CONNACK to a server", "20 L 00 00", 0x82],
    ["SUBACK to a server", "90 L #1 00", 0x82],
    ["UNSUBACK to a server", "b0 L #1", 0x82],
    ["PINGRESP to a server", "d0 00", 0x82],
    ["type 0", "00 00", 0x81],
    ["QoS 3", `36 L 'a' #1 ${none}`, 0x81],
    ["DUP at QoS 0", `38 L 'a' ${none}`, 0x81],
    ["packet identifier 0", `32 L 'a' #0 ${none}`, 0x82],
    ["PUBLISH without topic", `30 L '' ${none}`, 0x82],
    ["PUBLISH ends in its topic length", "30 L 00", 0x81],
    ["PUBLISH is empty", "30 00", 0x81],
    ["PUBLISH ends in its topic", "30 L #4 61 62", 0x81],
    ["PUBLISH ends in its packet identifier", "32 L 'ab' 00", 0x81],
    ["+ in a topic", `32 L 'a/+' #9 ${none}`, 0x90, 9],
    ["# in a topic", `30 L '#' ${none}`, 0x90],
    ["# behind other scripts", `30 L 'é/#' ${none}`, 0x90],
    ["topic with U+0000", `30 L #3 61 00 62 ${none}`, 0x81],
    ["topic with an overlong form", `30 L #2 c0 80 ${none}`, 0x81],
    ["topic with a surrogate", `32 L #3 ed a0 80 #3 ${none}`, 0x81, 3],
    ["topic beyond U+10FFFF", `30 L #4 f4 90 80 80 ${none}`, 0x81],
    ["topic with a cut sequence", `30 L #2 61 c3 ${none}`, 0x81],
    ["PUBREL flags 0", "60 L #1", 0x81],
    ["PUBACK flags 2", "42 L #1", 0x81],
    ["PUBACK too short", "40 L 01", 0x81],
    ["PUBACK with identifier 0", "40 L #0", 0x82],
    ["SUBSCRIBE flags 0", `80 L #1 ${none} 'a' 00`, 0x81],
    ["SUBSCRIBE with identifier 0", `82 L #0 ${none} 'a' 00`, 0x82],
    ["SUBSCRIBE without filters", `82 L #1 ${none}`, 0x82, 1],
    ["SUBSCRIBE with an empty filter", `82 L #1 ${none} '' 00`, 0x8f, 1],
    ["SUBSCRIBE without options", `82 L #1 ${none} 'a'`, 0x81, 1],
    ["SUBSCRIBE with QoS 3", `82 L #1 ${none} 'a' 03`, 0x82, 1],
    ["SUBSCRIBE with reserved bits", `82 L #1 ${none} 'a' 40`, 0x81, 1],
    ["SUBSCRIBE with a bad filter", `82 L #1 ${none} #1 80 00`, 0x81, 1],
    ["four filters of three", `82 L #1 ${none} 'a' 00 'b' 00 'c' 00 'd' 00`, 0x97, 1],
    ["UNSUBSCRIBE flags 0", `a0 L #1 ${none} 'a'`, 0x81],
    ["UNSUBSCRIBE without filters", `a2 L #1 ${none}`, 0x82, 1],
    ["UNSUBSCRIBE with an empty filter", `a2 L #1 ${none} ''`, 0x8f, 1],
    ["UNSUBSCRIBE, filter cut", `a2 L #1 ${none} #9 61`, 0x81, 1],
    ["UNSUBSCRIBE, four filters of three", `a2 L #1 ${none} 'a' 'b' 'c' 'd'`, 0x97, 1],
    ["PINGREQ with a body", "c0 L 00", 0x81],
    ["PINGREQ flags", "c1 00", 0x81],
    ["DISCONNECT flags", "e1 00", 0x81],
    ["packet beyond the limit", "30 81 20", 0x95],
  ]);
}

add("server", 4, [
  ["AUTH does not exist", "f0 00", 0x81],
  ["PUBACK of three bytes", "40 L #1 00", 0x81],
  ["PUBREL of four bytes", "62 L #1 00 00", 0x81],
  ["DISCONNECT with a body", "e0 L 00", 0x81],
  ["SUBSCRIBE with No Local", "82 L #1 'a' 04", 0x81, 1],
]);

add("server", 5, [
  ["PUBLISH without property length", "30 L 'a'", 0x81],
  ["PUBLISH, property length too long", "32 L 'a' #5 02 01", 0x81, 5],
  ["PUBLISH, property length not minimal", "30 L 'a' 80 00", 0x81],
  ["Subscription Identifier from a client", "32 L 'a' #5 { 0b 01 }", 0x82, 5],
  ["Subscription Identifier not minimal", "30 L 'a' { 0b 80 00 }", 0x81],
  ["Topic Alias 0", "30 L 'a' { 23 #0 }", 0x94],
  ["Topic Alias above the maximum", "30 L 'a' { 23 #11 }", 0x94],
  ["Topic Alias twice", "30 L 'a' { 23 #1 23 #1 }", 0x82],
  ["Topic Alias cut", "30 L 'a' { 23 01 }", 0x81],
  ["empty topic with other properties", "30 L '' { 02 ##1 }", 0x82],
  ["Payload Format Indicator 2", "30 L 'a' { 01 02 }", 0x82],
  ["Response Topic with wildcard", "32 L 'a' #8 { 08 'a/+' }", 0x90, 8],
  ["Response Topic empty", "30 L 'a' { 08 '' }", 0x90],
  ["Content Type is not UTF-8", "30 L 'a' { 03 #1 ff }", 0x81],
  ["Content Type twice", "30 L 'a' { 03 'a' 03 'a' }", 0x82],
  ["user property without value", "30 L 'a' { 26 'k' }", 0x81],
  ["user property, ill-formed value", "30 L 'a' { 26 'k' #2 c3 28 }", 0x81],
  ["Correlation Data cut", "30 L 'a' { 09 #3 01 }", 0x81],
  ["Reason String in PUBLISH", "30 L 'a' { 1f 'r' }", 0x82],
  ["property 0", "30 L 'a' { 00 }", 0x81],
  ["property identifier of two bytes", "30 L 'a' { 81 01 00 }", 0x81],
  ["four user properties of three", "30 L 'a' { 26 '' '' 26 '' '' 26 '' '' 26 '' '' }", 0x97],
  ["PUBACK with unknown code", "40 L #4 01", 0x82, 4],
  ["PUBACK 0x10 from a client", "40 L #4 10", 0x82, 4],
  ["PUBREL with a code of PUBREC", "62 L #4 97", 0x82, 4],
  ["PUBCOMP with a code of PUBREC", "70 L #4 80", 0x82, 4],
  ["PUBACK, property length too long", "40 L #4 00 01", 0x81, 4],
  ["PUBACK, property length too short", "40 L #4 00 00 00", 0x81, 4],
  ["PUBACK with Session Expiry Interval", "40 L #4 00 { 11 ##1 }", 0x82, 4],
  ["PUBACK with two Reason Strings", "40 L #4 00 { 1f '' 1f '' }", 0x82, 4],
  ["Subscription Identifier 0", "82 L #1 { 0b 00 } 'a' 00", 0x82, 1],
  ["two Subscription Identifiers", "82 L #1 { 0b 01 0b 02 } 'a' 00", 0x82, 1],
  ["Retain Handling 3", "82 L #1 { } 'a' 30", 0x82, 1],
  ["SUBSCRIBE with Reason String", "82 L #1 { 1f '' } 'a' 00", 0x82, 1],
  ["DISCONNECT with a server's code", "e0 L 8e", 0x82],
  ["DISCONNECT with an unknown code", "e0 L 05", 0x82],
  ["DISCONNECT, Receive Maximum", "e0 L 00 { 21 #1 }", 0x82],
  ["DISCONNECT with bytes too many", "e0 L 00 { } 00", 0x81],
  ["AUTH success from a client", "f0 00", 0x82],
  ["AUTH without method", "f0 L 18 { 16 'd' }", 0x82],
  ["AUTH without properties", "f0 L 19 { }", 0x82],
  ["AUTH ends behind its code", "f0 L 18", 0x81],
  ["AUTH flags", "f2 00", 0x81],
]);

for (const version of [4, 5] as const) {
  const none = version === 5 ? "{ }" : "";
  add("client", version, [
    ["CONNECT to a client", "10 00", 0x82],
    ["SUBSCRIBE to a client", "82 00", 0x82],
    ["UNSUBSCRIBE to a client", "a2 00", 0x82],
    ["PINGREQ to a client", "c0 00", 0x82],
    ["CONNACK with reserved flags", `20 L 02 00 ${none}`, 0x81],
    ["CONNACK with session and error", `20 L 01 ${version === 5 ? "87" : "05"} ${none}`, 0x82],
    ["CONNACK too short", "20 L 00", 0x81],
    ["CONNACK too long", `20 L 00 00 ${none} 00`, 0x81],
    ["SUBACK without codes", `90 L #1 ${none}`, 0x82, 1],
    ["SUBACK with identifier 0", `90 L #0 ${none} 00`, 0x82],
    ["UNSUBACK too short", "b0 L 00", 0x81],
    ["PINGRESP with a body", "d0 L 00", 0x81],
    ["QoS 3", "36 L 'a' #1", 0x81],
  ]);
}
add("client", 4, [
  ["CONNACK with return code 6", "20 L 00 06", 0x81],
  ["SUBACK with code 3", "90 L #1 03", 0x81, 1],
  ["UNSUBACK with codes", "b0 L #1 00", 0x81, 1],
  ["DISCONNECT from a 3.1.1 server", "e0 00", 0x82],
]);
add("client", 5, [
  ["CONNACK with an unknown code", "20 L 00 01 { }", 0x82],
  ["CONNACK without properties", "20 L 00 00", 0x81],
  ["CONNACK, Maximum QoS 2", "20 L 00 00 { 24 02 }", 0x82],
  ["CONNACK, Receive Maximum 0", "20 L 00 00 { 21 #0 }", 0x82],
  ["CONNACK with a will property", "20 L 00 00 { 18 ##1 }", 0x82],
  ["SUBACK with a code of UNSUBACK", "90 L #1 { } 11", 0x82, 1],
  ["UNSUBACK without codes", "b0 L #1 { }", 0x82, 1],
  ["UNSUBACK with a code of SUBACK", "b0 L #1 { } 01", 0x82, 1],
  ["DISCONNECT with Session Expiry Interval", "e0 L 8e { 11 ##1 }", 0x82],
  ["DISCONNECT with a client's code", "e0 L 04", 0x82],
  ["Subscription Identifier 0", "30 L 'a' { 0b 00 }", 0x82],
  ["AUTH re-authenticate from a server", "f0 L 19 { 15 'm' }", 0x82],
]);
