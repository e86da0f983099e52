// examples/curl-worker: a work queue in a shell.
import { beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { createKey, type Key } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { tool } from "../support/tools.ts";
import { Example, environment, killExamplesAfterwards } from "./example.ts";

describe.skipIf(tool("curl") === undefined)("curl-worker (needs curl)", () => {
  const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/curl-worker/policy.toml"] });
  killExamplesAfterwards();

  let clerk: Key;
  let reporter: Key;
  beforeAll(async () => {
    clerk = await createKey(shared.server, "clerk");
    reporter = await createKey(shared.server, "reporter");
  }, 30_000);

  const publish = (name: string, id: string): Promise<string> =>
    new Example(["sh", "examples/curl-worker/publish.sh"], {
      env: environment(shared.server, clerk),
      args: [name, id],
    }).succeeds();

  it("makes each report once, tries again what fails, and leaves it as a dead letter with its reason", async () => {
    const worker = new Example(["sh", "examples/curl-worker/worker.sh"], { env: environment(shared.server, reporter) });
    await worker.says("working");
    await publish("daily", "1");
    await publish("daily", "1");
    await publish("broken", "2");
    await publish("weekly", "3");
    await worker.says("report: weekly");
    expect(worker.output.match(/report: daily/g)).toHaveLength(1);

    const { id, secret } = shared.server.admin;
    const dead = async (): Promise<string> =>
      (await ask(shared.server, "/v1/subscriptions/reports/dead", { key: `${id}.${secret}` })).text;
    await expect.poll(dead, { timeout: 15_000 }).toContain("the report cannot be made");
    expect(await dead()).toContain('"payload":"broken"');
    worker.kill();
    await worker.ended;
  }, 60_000);
});
