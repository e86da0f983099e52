// LESSONS 27, NATS 2026-22. Elsewhere CR and LF in a subscription went into the text protocol of an inner link, as
// commands of it. Here control characters are refused in every name, and what a payload or a property holds begins no
// line of a log, a header or an event stream.
import { expect, it } from "vitest";
import { eventsOf } from "../../attacks/support/observe.ts";
import { rawHttp } from "../../attacks/support/raw-http.ts";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const tails = ["\r\nSUB > 1\r\n", "\n", "\r", "\0", "\u0001", "\u007f", "\u0085"];

atEachDoor(field, "control characters in names", async (arena, door) => {
  const owner = await arena.principal();
  const seen = await arena.observe();
  for (const version of [4, 5] as const) {
    for (const tail of tails) {
      const name = owner.topic(`x${tail}`);
      const packets = [
        build.subscribe({ version, filters: [name] }),
        build.subscribe({ version, filters: [`$share/g${tail}/${owner.topic("x")}`] }),
        build.publish({ version, topic: name, payload: "x", qos: 1 }),
      ];
      for (const bytes of packets) {
        const client = await arena.connect(owner, { version }, door);
        client.send(bytes);
        const answer = await client.take(({ name: each }) => each !== "PINGRESP").catch(() => undefined);
        const code = answer?.codes?.[0] ?? answer?.code ?? 0x80;
        if (version === 5 || answer?.name === "SUBACK") expect(code, JSON.stringify(tail)).toBeGreaterThanOrEqual(0x80);
        else expect(answer, JSON.stringify(tail)).toBeUndefined();
        client.stream.destroy();
      }
      const { connack } = await arena.attempt(owner, { version, clientId: `c${tail}` }, door);
      expect(connack?.code, `client id ${JSON.stringify(tail)}`).not.toBe(0);
    }
  }
  for (const { event } of eventsOf(seen.text())) expect(event).not.toContain("SUB");
});

it("a payload and a content type begin no line of an event stream or of an answer", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const topic = owner.topic(unique("x"));
  const client = await arena.connect(owner);
  const forged = "x\r\n\r\nevent: forged\r\ndata: forged\r\n\n";
  const userProperty: [string, string][] = [["k\r\nx-forged: 1", forged]];
  const properties = { contentType: "text/plain\r\nx-forged: 1", userProperty };
  await client.publish({ topic, payload: forged, qos: 1, retain: true, properties: properties });
  const { host } = new URL(arena.server.httpUrl);
  const filter = encodeURIComponent(topic);
  for (const path of [`/v1/events?filter=${filter}&retained`, `/v1/messages?filter=${filter}`]) {
    const key = `Authorization: Bearer ${owner.id}.${owner.secret}`;
    const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, key, "Connection: close"];
    const { status, text } = await rawHttp(arena, `${head.join("\r\n")}\r\n\r\n`, 700);
    expect(status, path).toBe(200);
    expect(text, path).not.toMatch(/^(event|data): forged|^x-forged/m);
  }
});
