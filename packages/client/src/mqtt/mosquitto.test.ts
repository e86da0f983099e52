/** Interoperation with another server, where it is installed. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testCertificates } from "../test-certificates.test-data.ts";
import { connectMqtt } from "./connect-mqtt.ts";
import type { MqttClient } from "./mqtt-client.ts";

const program = "/usr/sbin/mosquitto";

describe.skipIf(!existsSync(program))("with mosquitto", () => {
  let directory: string;
  let server: ChildProcess;
  let ca: string;
  let plain: string;
  let secure: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mess-client-"));
    const certificates = await testCertificates(["127.0.0.1"]);
    ca = certificates.ca;
    await writeFile(join(directory, "cert.pem"), certificates.cert);
    await writeFile(join(directory, "key.pem"), certificates.key, { mode: 0o600 });
    await writeFile(join(directory, "ca.pem"), ca);
    const [port, tlsPort] = [await freePort(), await freePort()];
    const lines = [
      // Without it mosquitto, started by root, changes to a user that cannot read the directory.
      "user root",
      "allow_anonymous true",
      `listener ${port} 127.0.0.1`,
      `listener ${tlsPort} 127.0.0.1`,
      `certfile ${join(directory, "cert.pem")}`,
      `keyfile ${join(directory, "key.pem")}`,
    ];
    await writeFile(join(directory, "mosquitto.conf"), lines.join("\n"));
    server = spawn(program, ["-c", join(directory, "mosquitto.conf")], { stdio: "ignore" });
    plain = `mqtt://127.0.0.1:${port}`;
    secure = `mqtts://127.0.0.1:${tlsPort}`;
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const client = await connectMqtt(plain).catch(() => undefined);
      if (client !== undefined) return client.disconnect();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("mosquitto does not start");
  });

  afterAll(async () => {
    server.kill();
    await rm(directory, { recursive: true, force: true });
  });

  describe.each([5, 4] as const)("MQTT level %s", (version) => {
    it.each([0, 1, 2] as const)("delivers 500 messages in order at QoS %s over TLS", async (qos) => {
      await using client = await connectMqtt(secure, { ca, version });
      const topic = `run/${version}/${qos}`;
      expect(await client.subscribe([{ filter: topic, qos }])).toEqual([qos]);
      const numbers = Array.from({ length: 500 }, (_, index) => String(index));
      const published = Promise.all(numbers.map((text) => client.publish(topic, text, { qos })));
      const received: string[] = [];
      for await (const message of client) {
        expect(message.qos).toBe(qos);
        received.push(Buffer.from(message.payload).toString());
        if (received.length === numbers.length) break;
      }
      await published;
      expect(received).toEqual(numbers);
    });

    it("resumes a session with what came meanwhile", async () => {
      const options = { version, clientId: `session-${version}`, sessionExpiry: 100 };
      const first = await connectMqtt(plain, { ...options, cleanStart: true });
      await first.disconnect();
      const second = await connectMqtt(plain, { ...options, cleanStart: false });
      await second.subscribe([{ filter: `kept/${version}`, qos: 2 }]);
      await second.disconnect();
      await using publisher = await connectMqtt(plain, { version });
      for (const text of ["one", "two"]) await publisher.publish(`kept/${version}`, text, { qos: 2 });
      await using third = await connectMqtt(plain, { ...options, cleanStart: false });
      expect(third.sessionPresent).toBe(true);
      expect(await takeTwo(third)).toEqual(["one", "two"]);
    });
  });

  it("keeps 5.0 properties and retained messages", async () => {
    await using client = await connectMqtt(plain);
    await client.publish("kept", "v", {
      retain: true,
      properties: { userProperties: [["k", "v"]], contentType: "text/plain" },
    });
    await client.subscribe(["kept"]);
    const { value } = await client.messages().next();
    expect(value).toMatchObject({
      retain: true,
      properties: { userProperties: [["k", "v"]], contentType: "text/plain" },
    });
    await client.publish("kept", "", { retain: true });
  });
});

async function takeTwo(client: MqttClient): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of client) {
    texts.push(Buffer.from(message.payload).toString());
    if (texts.length === 2) break;
  }
  return texts;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
