import diagnosticsChannel from "node:diagnostics_channel";
import { expect, it } from "vitest";
import { openClient } from "./open-client.test-data.ts";

it("tells the channels of node:diagnostics_channel, and only when somebody listens", async () => {
  const told: string[] = [];
  const names = ["mess:publish", "mess:receive", "mess:state"];
  const listen = (message: unknown, name: string | symbol): void => {
    const { topic, name: state } = message as { readonly topic?: string; readonly name?: string };
    told.push(`${String(name)} ${topic ?? state}`);
  };
  for (const name of names) diagnosticsChannel.subscribe(name, listen);
  const { mess } = await openClient();
  const reader = mess.topic("t").subscribe();
  await reader.ready;
  await mess.topic("t").publish(1);
  await reader.next();
  await mess.close();
  for (const name of names) diagnosticsChannel.unsubscribe(name, listen);
  await openClient();
  expect(told).toEqual([
    "mess:state connecting",
    "mess:state connected",
    "mess:publish t",
    "mess:receive t",
    "mess:state closed",
  ]);
});
