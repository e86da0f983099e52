import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyProperties } from "./arbitrary-packet.test-data.ts";
import { packetBytes } from "./packet-bytes.test-data.ts";
import { readProperties, writeForwardProperties, writeProperties } from "./properties.ts";
import { propertyById, propertyDefinitions } from "./property-table.ts";
import { callsOf, rig } from "./recording-sink.test-data.ts";

test("what is written is read", () => {
  fc.assert(
    fc.property(anyProperties, fc.nat(5), (properties, offset) => {
      const bytes = writeProperties(properties);
      const within = new Uint8Array(bytes.length + offset + 3).fill(0xff);
      within.set(bytes, offset);
      expect(readProperties(within, offset, offset + bytes.length)).toEqual(properties);
    }),
    { numRuns: 1000 },
  );
});

describe("stored bytes that are not properties", () => {
  const broken = ["00", "01 02", "02 00 00", "26 'k'", "03 #1 ff", "0b 00", "11 ##1 11 ##1", "08 'a/+'", "23 #0", "ff"];
  test.each(broken)("%s", (text) => {
    const bytes = packetBytes(text);
    expect(readProperties(bytes, 0, bytes.length)).toBeUndefined();
  });

  test("ranges outside of the buffer", () => {
    const bytes = packetBytes("01 01");
    expect(readProperties(bytes, 0, 3)).toBeUndefined();
    expect(readProperties(bytes, -1, 2)).toBeUndefined();
    expect(readProperties(bytes, 2, 2)).toEqual({});
  });

  test("values that cannot be written", () => {
    expect(() => writeProperties({ contentType: "\0" })).toThrow("Content Type must not contain U+0000.");
  });
});

test("writeForwardProperties writes only what goes on to subscribers", () => {
  const bytes = writeForwardProperties({
    payloadFormatIndicator: 1,
    messageExpiryInterval: 5,
    contentType: "t",
    responseTopic: "r",
    correlationData: Uint8Array.of(9),
    willDelayInterval: 7,
    topicAlias: 4,
    userProperties: [["k", "v"]],
  });
  expect(bytes).toEqual(packetBytes("01 01 03 't' 08 'r' 09 #1 09 26 'k' 'v'"));
  expect(writeForwardProperties({ willDelayInterval: 1 })).toHaveLength(0);
});

describe("legality", () => {
  /** The packets of section 2.2.2.2 by identifier, written down apart from the table of the code. 0 is a will. */
  const legal: Record<number, number[]> = {
    1: [0, 3],
    2: [0, 3],
    3: [0, 3],
    8: [0, 3],
    9: [0, 3],
    11: [3, 8],
    17: [1, 2, 14],
    18: [2],
    19: [2],
    21: [1, 2, 15],
    22: [1, 2, 15],
    23: [1],
    24: [0],
    25: [1],
    26: [2],
    28: [2, 14],
    31: [2, 4, 5, 6, 7, 9, 11, 14, 15],
    33: [1, 2],
    34: [1, 2],
    35: [3],
    36: [2],
    37: [2],
    38: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15],
    39: [1, 2],
    40: [2],
    41: [2],
    42: [2],
  };
  const sample: Record<number, string> = {};
  const values = ["", "01", "01", "#1", "##1", "01", "'s'", "'b'", "'k' 'v'"];
  for (const { id, kind } of propertyDefinitions) sample[id] = `${id.toString(16).padStart(2, "0")} ${values[kind]}`;
  const method = "15 'm'";
  const bodies: Record<number, [role: "server" | "client", version: 0 | 5, text: (property: string) => string]> = {
    0: ["server", 0, (property) => `10 L 'MQTT' 05 06 #0 { } 'c' { ${property} } 'w' ''`],
    1: [
      "server",
      0,
      (property) => `10 L 'MQTT' 05 02 #0 { ${property.startsWith("16") ? method : ""} ${property} } 'c'`,
    ],
    2: ["client", 5, (property) => `20 L 00 00 { ${property} }`],
    3: ["client", 5, (property) => `30 L 'a' { ${property} }`],
    4: ["server", 5, (property) => `40 L #1 00 { ${property} }`],
    5: ["server", 5, (property) => `50 L #1 00 { ${property} }`],
    6: ["server", 5, (property) => `62 L #1 00 { ${property} }`],
    7: ["server", 5, (property) => `70 L #1 00 { ${property} }`],
    8: ["server", 5, (property) => `82 L #1 { ${property} } 'a' 00`],
    9: ["client", 5, (property) => `90 L #1 { ${property} } 00`],
    10: ["server", 5, (property) => `a2 L #1 { ${property} } 'a'`],
    11: ["client", 5, (property) => `b0 L #1 { ${property} } 00`],
    14: ["server", 5, (property) => `e0 L 00 { ${property} }`],
    15: ["server", 5, (property) => `f0 L 18 { ${property.startsWith("15") ? "" : method} ${property} }`],
  };

  test("every identifier in every packet, once and twice", () => {
    for (const [place, [role, version, text]] of Object.entries(bodies)) {
      for (let id = 0; id < 256; id++) {
        const property = sample[id] ?? `${id.toString(16).padStart(2, "0")} 00 00 00 00`;
        const once = callsOf(rig(role, version), packetBytes(text(property)))[0];
        const code = once && "failure" in once ? once.failure.reasonCode : 0;
        const allowed = legal[id]?.includes(Number(place)) ?? false;
        expect([place, id, code]).toEqual([place, id, allowed ? 0 : propertyById[id] ? 0x82 : 0x81]);
        if (!allowed) continue;
        const twice = callsOf(rig(role, version), packetBytes(text(`${property} ${property}`)))[0];
        const repeatable = id === 0x26 || (id === 0x0b && place === "3");
        expect([place, id, twice && "packet" in twice]).toEqual([place, id, repeatable]);
      }
    }
  });
});
