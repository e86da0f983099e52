/**
 * Many QoS 1 messages wait for a session that is away: memory stays flat, a new start is quick, and all of them come
 * in order (the issue: 1,000,000 messages, peak RSS under 300 MB, start under 3 s).
 */
import { readFileSync } from "node:fs";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { topic, unique } from "../support/suite.ts";

export interface BacklogReport {
  readonly messages: number;
  readonly publishSeconds: number;
  /** Peak resident memory of the process that took them in, and of the one that gave them out, MB. */
  readonly peakInMb: number;
  readonly peakOutMb: number;
  readonly startSeconds: number;
  readonly drainSeconds: number;
  /** First place where the order broke; undefined when all came in order. */
  readonly disorder: string | undefined;
}

const session = { cleanStart: false, properties: { sessionExpiryInterval: 86_400 } };

export function peakMb(pid: number): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}

async function publishAll(server: Server, name: string, messages: number): Promise<void> {
  const client = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  const payload = Buffer.alloc(100, 0x2e);
  const window = client.connack?.properties.receiveMaximum ?? 100;
  let open = 0;
  for (let index = 0; index < messages; ) {
    const burst: Buffer[] = [];
    for (; open < window && index < messages; open += 1, index += 1) {
      payload.writeUInt32BE(index);
      burst.push(build.publish({ topic: name, payload, qos: 1, id: (index % 65_535) + 1 }));
    }
    if (burst.length > 0) client.send(...burst);
    await client.next("PUBACK", 30_000);
    open -= 1;
    for (const _ of client.waiting("PUBACK")) {
      await client.next("PUBACK");
      open -= 1;
    }
  }
  while (open > 0) {
    await client.next("PUBACK", 30_000);
    open -= 1;
  }
  await client.disconnect();
}

async function drain(server: Server, clientId: string, messages: number): Promise<string | undefined> {
  const client = await RawClient.connect(server.mqtt, { ...session, clientId });
  client.autoAck = true;
  for (let index = 0; index < messages; index += 1) {
    const message = await client.next("PUBLISH", 30_000);
    const value = message.payload.readUInt32BE();
    if (value !== index) return `wanted ${index}, got ${value}`;
  }
  await client.ping();
  await client.expectNothing(200);
  return undefined;
}

export async function backlog(messages: number): Promise<BacklogReport> {
  const server = await Server.start();
  try {
    const name = topic();
    const clientId = unique("c");
    const reader = await RawClient.connect(server.mqtt, { ...session, clientId });
    await reader.subscribe({ filter: name, qos: 1 });
    await reader.disconnect();
    let began = performance.now();
    await publishAll(server, name, messages);
    const publishSeconds = (performance.now() - began) / 1_000;
    const peakInMb = peakMb(server.pid);
    await server.kill();
    await server.start();
    const startSeconds = server.startedIn / 1_000;
    began = performance.now();
    const disorder = await drain(server, clientId, messages);
    const drainSeconds = (performance.now() - began) / 1_000;
    return { messages, publishSeconds, peakInMb, peakOutMb: peakMb(server.pid), startSeconds, drainSeconds, disorder };
  } finally {
    await server.remove();
  }
}
