// Topic names and filters: MQTT 5.0 section 4.7; MQTT 3.1.1 section 4.7.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { bothVersions, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

/** Twenty lines that say what a filter matches, level by level. */
function isMatch(filter: string, name: string): boolean {
  const wanted = filter.split("/");
  const levels = name.split("/");
  if (name.startsWith("$") && (filter.startsWith("+") || filter.startsWith("#"))) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return levels.length >= index;
    if (index >= levels.length) return false;
    if (level !== "+" && level !== levels[index]) return false;
  }
  return wanted.length === levels.length;
}

const filters = [
  "#",
  "+",
  "+/+",
  "/+",
  "+/",
  "a",
  "a/",
  "/a",
  "a/#",
  "a/+",
  "a/+/c",
  "+/b",
  "+/b/#",
  "a//c",
  "a/+/+",
  "//",
  "+//+",
  "/#",
  "A/#",
  "é/+",
  "a b/#",
];
const names = [
  "a",
  "a/",
  "/a",
  "/",
  "//",
  "a/b",
  "a/b/c",
  "a//c",
  "a/c",
  "A/b",
  "A",
  "b",
  "é/x",
  "e\u0301/x",
  "a b/c",
  "a/b/c/d",
  "//a",
  "a//",
];

bothVersions(
  "[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-4] [MQTT-3.3.2-3] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-4] every filter matches what the standard says, under a prefix",
  async (version) => {
    const base = topic();
    const publisher = await shared.connect({ version });
    await Promise.all(
      filters.map(async (filter) => {
        const client = await shared.connect({ version });
        await client.subscribe(`${base}/${filter}`);
        const mark = `${unique("mark")}`;
        await client.subscribe(mark);
        for (const name of names)
          client.send(build.publish({ version, topic: `${base}/${filter.length}${name}`, payload: "not mine" }));
        await client.publish({ topic: mark, payload: "end" });
        await client.take((packet) => packet.name === "PUBLISH" && packet.topic === mark);
        expect(client.waiting("PUBLISH").every((message) => isMatch(`${base}/${filter}`, message.topic))).toBe(true);
      }),
    );
    const readers = await Promise.all(
      filters.map(async (filter) => {
        const client = await shared.connect({ version });
        await client.subscribe([`${base}/x/${filter}`, `${base}/end`]);
        return { filter, client };
      }),
    );
    for (const name of names) await publisher.publish({ topic: `${base}/x/${name}`, payload: "x" });
    await publisher.publish({ topic: `${base}/end`, payload: "end" });
    for (const { filter, client } of readers) {
      await client.take((packet) => packet.name === "PUBLISH" && packet.topic === `${base}/end`);
      const seen = client.waiting("PUBLISH").map((message) => message.topic.slice(base.length + 3));
      const expected = names.filter((name) => isMatch(`${base}/x/${filter}`, `${base}/x/${name}`));
      expect(seen, filter).toEqual(expected);
    }
  },
);

bothVersions("[MQTT-4.7.1-2] [MQTT311-4.7.1-2] # includes the level above it", async (version) => {
  const base = topic();
  const client = await shared.connect({ version });
  await client.subscribe(`${base}/#`);
  await client.publish({ topic: base, payload: "parent" });
  expect((await client.message()).payload.toString()).toBe("parent");
});

bothVersions(
  "[MQTT-4.7.2-1] [MQTT311-4.7.2-1] a filter that begins with a wildcard does not match $ topics",
  async (version) => {
    const client = await shared.connect({ version });
    await client.subscribe(["#", "+/#", "+/monitor/Clients"]);
    await client.ping();
    await client.expectNothing(1_000, (packet) => packet.name === "PUBLISH" && packet.topic.startsWith("$"));
  },
);

bothVersions(
  "[MQTT-4.7.3-2] [MQTT-4.7.3-3] [MQTT311-4.7.3-2] [MQTT311-4.7.3-3] topics hold no U+0000, and at most what the length field says",
  async (version) => {
    const nul = await shared.connect({ version });
    nul.send(build.publish({ version, topic: "a/\u0000" }));
    await nul.refused([0x81, 0x82, 0x90]);
    const long = await shared.connect({ version });
    long.send(build.publish({ version, topic: "x".repeat(65_535), payload: "x", qos: 1, id: 1 }), build.pingreq());
    const answer = await long
      .take((packet) => packet.name === "PINGRESP" || packet.name === "PUBACK")
      .catch(() => undefined);
    // a server may take it, refuse it, or close: but not fail
    if (answer === undefined) await long.refused([0x81, 0x90, 0x95]);
  },
);

bothVersions(
  "[MQTT-4.7.3-4] [MQTT311-4.7.3-4] names are compared code by code: case, normal forms and look-alikes differ",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    const spellings = ["é", "e\u0301", "E", "e", "\u0435", "ｅ", "e ", " e", "e\u200b"];
    await client.subscribe(`${base}/é`);
    for (const name of spellings) await client.publish({ topic: `${base}/${name}`, payload: name });
    await client.ping();
    expect(client.waiting("PUBLISH").map((message) => message.payload.toString())).toEqual(["é"]);
  },
);

bothVersions(
  "[MQTT-4.7.3-1] names that are odd but allowed work: /, spaces, long levels, words of JavaScript",
  async (version) => {
    const odd = [
      "/",
      "//",
      " ",
      "__proto__",
      "constructor",
      "toString/valueOf",
      "a/__proto__/b",
      "hasOwnProperty",
      "0",
      "null",
      "undefined",
      "\uFFFD",
      "😀/🚀",
    ];
    const client = await shared.connect({ version });
    const prefix = unique("o");
    await client.subscribe(odd.map((name) => `${prefix}${name}`));
    for (const name of odd) await client.publish({ topic: `${prefix}${name}`, payload: name });
    const received = (await client.messages(odd.length)).map((message) => message.payload.toString());
    expect(received).toEqual(odd);
  },
);

bothVersions(
  "[MQTT-4.7.3-3] at most 1,024 bytes and 64 levels: up to them taken, one more refused",
  async (version) => {
    const client = await shared.connect({ version });
    const base = unique("l");
    const levels = (count: number): string => [base, ...Array.from({ length: count - 1 }, () => "x")].join("/");
    const longest = base + "y".repeat(1_024 - base.length);
    for (const name of [longest, levels(64)]) {
      await client.subscribe(name);
      const puback = await client.publish({ topic: name, payload: "x", qos: 1 });
      expect(puback?.code).toBe(0);
      await client.message();
    }
    for (const name of [`${longest}z`, levels(65)]) {
      const suback = await client.subscribe(name, { refusable: true });
      expect(suback.codes).toEqual([version === 5 ? 0x8f : 0x80]);
      const publisher = await shared.connect({ version });
      if (version === 5) {
        expect((await publisher.publish({ topic: name, qos: 1 }))?.code).toBe(0x90);
        expect((await publisher.publish({ topic: name, qos: 2 }))?.code).toBe(0x90);
        publisher.send(build.publish({ topic: name }));
        await publisher.refused([0x90]);
      } else {
        publisher.send(build.publish({ version, topic: name, qos: 1, id: 1 }));
        const { packets } = await publisher.closed();
        expect(packets).toEqual([]);
      }
      const willing = await shared.open(version);
      willing.send(build.connect({ version, clientId: unique("c"), will: { topic: name } }));
      await willing.refused([0x90]);
    }
  },
  { onlyMess: true },
);

statement(
  "[MQTT-4.7.3-3] deep filters and names of many slashes are refused without harm",
  async () => {
    const client = await shared.connect();
    for (const count of [65, 101, 201, 1_000, 65_535]) {
      const deep = "/".repeat(count);
      const suback = await client.subscribe(deep, { refusable: true });
      expect(suback.codes).toEqual([0x8f]);
      const unsuback = await client.unsubscribe(deep);
      expect([0x11, 0x8f]).toContain(unsuback.codes[0]);
      expect((await client.publish({ topic: deep, qos: 1 }))?.code).toBe(0x90);
    }
    await client.ping();
  },
  { onlyMess: true },
);
