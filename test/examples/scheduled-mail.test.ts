// examples/scheduled-mail: delay, list, cancel, and an id that makes it once.
import { beforeAll, expect, it } from "vitest";
import { createKey, type Key, messAt } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { environment, killExamplesAfterwards, typescript } from "./example.ts";

const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/scheduled-mail/policy.toml"] });
killExamplesAfterwards();

let scheduler: Key;
let mailer: Key;
beforeAll(async () => {
  scheduler = await createKey(shared.server, "scheduler");
  mailer = await createKey(shared.server, "mailer");
}, 30_000);

it("sends what is due, once, over a restart; what was cancelled is not sent", async () => {
  const { server } = shared;
  const schedule = (...args: string[]): Promise<string> =>
    typescript("scheduled-mail/schedule.ts", { env: environment(server, scheduler), args }).succeeds();
  expect(await schedule("anna@example.org", "12s")).toContain("again: not stored");
  const offset = /offset (\d+)/.exec(await schedule("bert@example.org", "12s"))?.[1] ?? "";

  const listed = await messAt(server, ["delayed", "ls", "--json"]);
  const rows = listed.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { offset: number; topic: string });
  expect(rows.map(({ topic }) => topic)).toEqual(["mails/outgoing", "mails/outgoing"]);
  const cancelled = await messAt(server, ["delayed", "cancel", offset, "--yes"]);
  expect(cancelled.stderr + String(cancelled.code)).toMatch(/0$/);

  expect((await server.stop()).code).toBe(0);
  await server.start();
  const sender = typescript("scheduled-mail/send.ts", { env: environment(server, mailer) });
  await sender.says("to anna@example.org: Tomorrow", 30_000);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(sender.output.match(/^to /gm)).toHaveLength(1);
  expect(await sender.stop()).toBe(0);
}, 60_000);
