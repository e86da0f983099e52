// A consumer that is stopped (SIGSTOP) holds up nobody, costs bounded memory, and gets its messages when it goes on (THREATS A14, F14).
import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { peakMb } from "../support/process-memory.ts";
import { cleanEnvironment, messCommand } from "../support/server.ts";
import { sleep, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

it("others go on with small delay, memory stays bounded, and nothing is lost when it continues", async () => {
  const { server } = shared;
  const name = topic();
  const url = `mqtt://127.0.0.1:${server.mqtt.port}`;
  const args = ["sub", name, "--url", url, "--session", unique("c"), "--qos", "1", "--data", server.dataDir];
  const consumer = spawn(messCommand, args, { stdio: ["ignore", "pipe", "pipe"], env: cleanEnvironment() });
  let output = "";
  consumer.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  let told = "";
  consumer.stderr.on("data", (bytes: Buffer) => {
    told += bytes.toString();
  });
  try {
    for (let waited = 0; !told.includes("subscribed") && waited < 200; waited += 1) await sleep(50);
    expect(told).toContain("subscribed");
    consumer.kill("SIGSTOP");
    const healthy = await shared.connect();
    healthy.autoAck = true;
    await healthy.subscribe({ filter: name, qos: 1 });
    const publisher = await shared.connect();
    const before = peakMb(server.pid);
    const delays: number[] = [];
    const count = 1_500;
    const filler = "x".repeat(8_000);
    for (let index = 0; index < count; index += 1) {
      const began = performance.now();
      await publisher.publish({ topic: name, payload: `${index} ${filler}`, qos: 1 });
      await healthy.message();
      delays.push(performance.now() - began);
    }
    delays.sort((a, b) => a - b);
    // wide, for a machine with other work; a consumer that blocks others shows as seconds
    expect(delays[Math.floor(count * 0.99)]).toBeLessThan(500);
    expect(peakMb(server.pid) - before).toBeLessThan(150);
    consumer.kill("SIGCONT");
    const lines = (): string[] => output.split("\n").filter((line) => line !== "");
    for (let waited = 0; lines().length < count && waited < 400; waited += 1) await sleep(50);
    const numbers = lines().map((line) => Number(line.split(" ")[0]));
    // it may get a message again after a reconnect, but every one, and first deliveries in order
    const firsts = numbers.filter((value, index) => numbers.indexOf(value) === index);
    expect(firsts).toEqual(Array.from({ length: count }, (_, index) => index));
  } finally {
    consumer.kill("SIGKILL");
  }
}, 90_000);
