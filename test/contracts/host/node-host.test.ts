import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeHost } from "../../../packages/broker/src/host/node-host.ts";
import { hostContract } from "./host-contract.ts";

hostContract("node", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mess-host-"));
  return {
    host: nodeHost(),
    directory,
    settle: (promise) => promise,
    end: () => rm(directory, { recursive: true, force: true }),
  };
});
