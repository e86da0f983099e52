// examples/python-worker: a work queue with Eclipse Paho (Debian: python3-paho-mqtt).
import { beforeAll, describe, expect, it } from "vitest";
import { createKey, type Key } from "../support/cli.ts";
import { text, userProperty } from "../support/declared.ts";
import { RawClient } from "../support/raw-client.ts";
import { unique, useServer } from "../support/suite.ts";
import { run, tool } from "../support/tools.ts";
import { Example, environment, killExamplesAfterwards } from "./example.ts";

// Debian's python has the library; another one on the PATH may not
const python = tool("python3", ["/usr/bin"]) ?? "";
const present = python !== "" && (await run(python, ["-c", "import paho.mqtt.client"])).code === 0;

describe.skipIf(!present)("python-worker (needs python3-paho-mqtt)", () => {
  const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/python-worker/policy.toml"] });
  killExamplesAfterwards();

  let worker: Key;
  let camera: Key;
  beforeAll(async () => {
    worker = await createKey(shared.server, "thumbnails");
    camera = await createKey(shared.server, "camera1");
  }, 30_000);

  const connect = ({ id, secret }: { id: string; secret: string }): Promise<RawClient> =>
    RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: id, password: secret });

  const start = (): Example =>
    new Example([python, "examples/python-worker/worker.py"], { env: environment(shared.server, worker) });

  it("works pictures off, tries again what fails, and loses nothing when it is killed", async () => {
    const admin = await connect(shared.server.admin);
    await admin.subscribe({ filter: "$mess/dead/thumbnails", qos: 1 });
    const publisher = await connect(camera);
    const send = (file: string) =>
      publisher.publish({ topic: "pictures/camera1/new", payload: JSON.stringify({ file }), qos: 1 });

    await send("before.jpg");
    const first = start();
    await first.says("thumbnail of before.jpg");
    await send("notes.txt");
    await first.says("notes.txt is no picture");
    first.kill();
    await first.ended;
    await send("meanwhile.png");

    const second = start();
    await second.says("thumbnail of meanwhile.png");
    const letter = await admin.message(15_000);
    expect(text(letter)).toBe('{"file":"notes.txt"}');
    expect(userProperty(letter, "mess-dead-reason")).toContain("notes.txt is no picture");
    expect(userProperty(letter, "mess-attempts")).toBe("3");
    expect(await second.stop()).toBe(0);
  }, 60_000);
});
