// MQTT 3.1.1, MQTT 5 with explicit acknowledgements, HTTP pull, SSE and the SDK on one subscription with ordering by
// key, while consumers and the broker are killed. MESS_MIXED_PER_KEY makes the run longer.
import { expect, it } from "vitest";
import { withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";
import { mixedConsumers, mixedPolicy } from "./mixed-consumers.ts";

const perKey = Number(process.env["MESS_MIXED_PER_KEY"] ?? 60);
const shared = useServer({ args: withPolicy(mixedPolicy), killed: true });

it(
  "every message is processed, each key in order, and no attempt is counted that was none",
  async () => {
    const report = await mixedConsumers(shared.server, {
      perKey,
      brokerKills: 2,
      killEvery: 150,
      seed: 1,
      deadline: 60_000 + perKey * 1_000,
    });
    const { missing, disordered, wrongAttempts, processed, byKind } = report;
    expect({ missing, disordered, wrongAttempts }).toEqual({ missing: [], disordered: [], wrongAttempts: [] });
    expect(processed).toBe(perKey * 8);
    expect([...byKind.keys()].sort()).toEqual(["http-pull", "mqtt-3.1.1", "mqtt-5-explicit", "sdk", "sse"]);
    expect(report.brokerKills).toBe(2);
  },
  120_000 + perKey * 1_000,
);
