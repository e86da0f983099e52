// LESSONS 26, NATS 2026-26, mochi-mqtt issues 46 and 287. Elsewhere the right was asked for when a message was live, and
// not when it was retained or had waited. Here every way a message takes to a reader asks.
import { expect } from "vitest";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "what a deny covers comes by no way", async (arena, door) => {
  const sender = await arena.connect(await arena.principal("everything"));
  const masked = await arena.principal("masked");
  const topic = `secret/${unique("x")}`;
  const session = { ...arena.lasting(), clientId: unique("s") };
  const waiting = await arena.connect(masked, session, door);
  await waiting.subscribe([
    { filter: "#", qos: 1 },
    { filter: "+/+", qos: 1 },
  ]);
  await waiting.drop();
  const live = await arena.connect(masked, {}, door);
  await live.subscribe([
    { filter: "#", qos: 1 },
    { filter: "$share/g/#", qos: 1 },
    { filter: "$share/h/+/+", qos: 1 },
  ]);
  const isSecret = (packet: { name: string; topic: string }): boolean =>
    packet.name === "PUBLISH" && packet.topic === topic;
  await sender.publish({ topic, payload: "retained", qos: 1, retain: true });
  await sender.publish({ topic, payload: "live", qos: 1 });
  // the same subscriptions bring what is not denied
  const open = unique("open");
  await sender.publish({ topic: open, payload: "open", qos: 1 });
  await live.take({ name: "PUBLISH", topic: open });
  await live.expectNothing(200, isSecret);
  const back = await arena.connect(masked, session, door);
  await back.expectNothing(200, isSecret);
  for (const filter of ["#", "+/+", "secret/#", topic]) {
    const late = await arena.connect(masked, {}, door);
    await late.subscribe({ filter, qos: 1 }, { refusable: true });
    await late.expectNothing(100, isSecret);
    const read = await arena.ask(masked, `/v1/messages?filter=${encodeURIComponent(filter)}`);
    expect(read.text, filter).not.toContain(topic);
    if (filter === "#") expect(read.text).toContain(open);
  }
  expect(await arena.statusOf(masked, `/v1/events?filter=${encodeURIComponent(topic)}`)).toBe(403);
  const reader = await arena.connect(await arena.principal("everything"), {}, door);
  await reader.subscribe(topic);
  expect((await reader.message()).payload.toString()).toBe("retained");
  await sender.publish({ topic, payload: "", qos: 1, retain: true });
  await back.expectNothing(50, isSecret);
});
