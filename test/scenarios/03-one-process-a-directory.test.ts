// A second process on the data directory exits with 75 and does the first no harm (THREATS C3).
import { expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { lasting, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

it("ends the second server with 75; the first goes on and keeps its data", async () => {
  const name = topic();
  const clientId = unique("c");
  const reader = await shared.connect({ ...lasting(5), clientId });
  await reader.subscribe({ filter: name, qos: 1 });
  await reader.drop();
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "before", qos: 1 });
  const args = ["serve", "--insecure-dev", "--data", shared.server.dataDir, "--mqtt-port", "0", "--http-port", "0"];
  const seconds = await Promise.all([mess(args), mess(args)]);
  for (const second of seconds) {
    expect(second.code).toBe(75);
    expect(second.stderr).toContain("in use");
    expect(second.stdout).toBe("");
  }
  await publisher.publish({ topic: name, payload: "after", qos: 1 });
  await shared.server.kill();
  await shared.server.start();
  const back = await shared.connect({ ...lasting(5), clientId });
  expect((await back.messages(2)).map((message) => message.payload.toString())).toEqual(["before", "after"]);
});

it("starts again at once after SIGKILL: the lock dies with its process", async () => {
  await shared.server.kill();
  await shared.server.start();
  const client = await shared.connect();
  await client.ping();
});

it("ends a server whose port is taken with a reason, and leaves the data usable", async () => {
  const port = String(shared.server.mqtt.port);
  const second = await mess([
    "serve",
    "--insecure-dev",
    "--data",
    `${shared.server.dataDir}-other`,
    "--mqtt-port",
    port,
    "--http-port",
    "0",
  ]);
  expect(second.code).not.toBe(0);
  expect(second.stderr).toMatch(/in use|EADDRINUSE/);
});
