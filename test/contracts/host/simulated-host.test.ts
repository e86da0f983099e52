import { expect } from "vitest";
import { simulatedHost } from "../../../packages/broker/src/host/simulated-host.ts";
import { hostContract } from "./host-contract.ts";

let seed = 0;

hostContract("simulated", async () => {
  const sim = simulatedHost({ seed: ++seed });
  await sim.settle(sim.host.disk.makeDirectory("/data"));
  return {
    host: sim.host,
    directory: "/data",
    settle: (promise) => sim.settle(promise),
    end: async () => expect(sim.violations).toEqual([]),
  };
});
