import { expect, it } from "vitest";
import { limitNames } from "./config/limit-table.ts";
import { countedLimits, doorMetrics } from "./door-metrics.ts";
import type { MqttDoor } from "./input/doors/mqtt/mqtt-door.ts";

const counters = {
  connected: 0,
  connectRefused: 0,
  malformed: 0,
  protocolErrors: 0,
  propertiesRefused: 0,
  keepAliveTimeouts: 0,
  connectDeadlines: 0,
  slowDrops: 0,
  slowEnds: 0,
  bytesReceived: 0,
};
const door: MqttDoor = {
  accept: () => {
    throw new Error("not asked");
  },
  counters,
  preAuthBytes: () => 0,
  outboundBytes: () => 0,
  connections: () => 0,
  whenEmpty: (run) => run(),
  sweep: () => {},
};

function hits(
  input: ReadonlyMap<string, number>,
  audited: ReadonlyMap<string, number>,
): [string | undefined, number][] {
  return doorMetrics({
    door,
    http: { answers: [], open: 0 },
    input: { limitHits: input, handshakesFailed: 0 },
    audited,
    authFailures: 0,
  })
    .filter(({ name }) => name === "mess_limit_hits_total")
    .map(({ labels, value }) => [labels?.["limit"], value]);
}

it("shows every counted limit at 0, by the name of its setting", () => {
  expect(hits(new Map(), new Map())).toEqual(countedLimits.map((limit) => [limit, 0]));
  expect(limitNames).toEqual(expect.arrayContaining([...countedLimits]));
});

it("adds up what the input and what the audit counted, once a limit", () => {
  const all = hits(
    new Map([
      ["connectionsMax", 2],
      ["later", 1],
    ]),
    new Map([
      ["connectionsMax", 3],
      ["later", 1],
      ["subscriptionsMax", 7],
    ]),
  );
  expect(new Map(all)).toEqual(
    new Map([
      ...countedLimits.map((limit): [string, number] => [limit, 0]),
      ["connectionsMax", 5],
      ["subscriptionsMax", 7],
      ["later", 2],
    ]),
  );
  expect(new Set(all.map(([limit]) => limit)).size).toBe(all.length);
});

it("counts HTTP answers by the first digit of their status", () => {
  const http = { answers: [1, 0, 5, 0, 2, 0], open: 3 };
  const samples = doorMetrics({
    door,
    http,
    input: { limitHits: new Map(), handshakesFailed: 0 },
    audited: new Map(),
    authFailures: 3,
  });
  const of = (name: string): [string | undefined, number][] =>
    samples.filter((sample) => sample.name === name).map(({ labels, value }) => [labels?.["status"], value]);
  expect(of("mess_http_requests_total")).toEqual([
    ["0xx", 1],
    ["1xx", 0],
    ["2xx", 5],
    ["3xx", 0],
    ["4xx", 2],
    ["5xx", 0],
  ]);
  expect(of("mess_http_requests_open")).toEqual([[undefined, 3]]);
});
