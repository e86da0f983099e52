import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { sweep } from "../test/scenarios/flips.ts";
import { mess } from "../test/support/cli.ts";
import { sleep, unique } from "../test/support/names.ts";
import { abreast } from "./support/abreast.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { copyOfData, filesBelow, segmentsOf, written } from "./support/files.ts";

const letters = 20;

export const a10 = attack({
  id: "A10",
  title: "Message storage: tampering",
  threat:
    "Somebody who can write to the disk changes, removes, repeats or reorders what is stored, and consumers take it for what was published.",
  mitigation:
    "Every frame is encrypted, summed and chained to the one before; a start checks the chain and refuses with the place; `mess verify` names the first bad byte.",
  ways: ["disk"],
  steps: [
    {
      name: "stored messages are changed in the files, and the broker starts with them",
      run: changedAndServed,
      elsewhere: { mosquitto: hasNone("keeps nothing on disk by default: A11") },
    },
    {
      name: "one bit, or one cut, anywhere in the journal",
      run: bits,
      elsewhere: { mosquitto: hasNone("keeps nothing on disk by default"), nats: hasNone("the step before") },
    },
    {
      name: "sectors swapped, repeated, blanked; segments removed",
      run: sectors,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default"),
        nats: lacks("sums messages one by one: nothing binds them to their order or number"),
      },
    },
    {
      name: "a bit changed under a running server",
      run: underRunning,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default"),
        nats: lacks("does not look at what is stored until it is read"),
      },
    },
  ],
});

async function changedAndServed(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const owner = await arena.principal();
  const session = { ...arena.lasting(), clientId: unique("away") };
  const reader = await arena.connect(owner, session);
  await reader.subscribe({ filter: owner.topic("inbox"), qos: 1 });
  await reader.drop();
  const sender = await arena.connect(owner);
  const marker = unique("LETTER");
  for (let index = 0; index < letters; index += 1) {
    await sender.publish({ topic: owner.topic("inbox"), payload: `${marker}-pay 100-${index}`, qos: 1 });
  }
  await arena.broker.stop();
  change(arena, marker);
  const isServed = await arena.broker.start().then(
    () => true,
    () => false,
  );
  if (!isServed) return;
  const back = await arena.connect(owner, session);
  back.autoAck = true;
  const got: string[] = [];
  while (got.length < letters) {
    const message = await back.message(1_000).catch(() => undefined);
    if (message === undefined) break;
    got.push(message.payload.toString());
  }
  const isWhole = got.length === letters && got.every((text, index) => text === `${marker}-pay 100-${index}`);
  hold(isWhole, `it starts with changed files, and ${got.length} of ${letters} letters come: ${got.slice(0, 2)}`);
}

/** In the clear the amount is changed; where nothing is in the clear, a byte in the middle of what was written. */
function change(arena: Arena, marker: string): void {
  for (const path of filesBelow(arena.broker.dataDir)) {
    const bytes = readFileSync(path);
    let at = bytes.indexOf(`${marker}-pay 100`);
    if (at < 0 && !/segment-/.test(path)) continue;
    if (at < 0) {
      const middle = Math.floor(written(bytes) / 2);
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    }
    for (; at >= 0; at = bytes.indexOf(`${marker}-pay 100`, at + 1)) bytes.write("-pay 999", at + marker.length);
    writeFileSync(path, bytes);
  }
}

/** A journal with a few records, of a server that was killed. */
async function killed(outer: Arena): Promise<string> {
  const arena = await outer.own();
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  for (let index = 0; index < letters; index += 1) {
    await client.publish({ topic: owner.topic(`inbox/${index}`), payload: "x".repeat(300), qos: 1, retain: true });
  }
  await arena.broker.kill();
  return arena.broker.dataDir;
}

async function bits(arena: Arena): Promise<void> {
  const samples = arena.full ? 20_000 : 60;
  const report = await sweep({ dataDir: await killed(arena), samples, seed: 10 });
  hold(report.wrong.length === 0, report.wrong.slice(0, 3).join("; "));
  if (report.damaged < samples / 2) throw new Error(`only ${report.damaged} of ${samples} damages were found`);
}

async function sectors(arena: Arena): Promise<void> {
  const dataDir = await killed(arena);
  const sector = 512;
  const changes: readonly (readonly [string, (bytes: Buffer, middle: number) => Buffer])[] = [
    [
      "two sectors swapped",
      (bytes, middle) =>
        Buffer.concat([
          bytes.subarray(0, middle),
          bytes.subarray(middle + sector, middle + 2 * sector),
          bytes.subarray(middle, middle + sector),
          bytes.subarray(middle + 2 * sector),
        ]),
    ],
    [
      "a sector removed",
      (bytes, middle) => Buffer.concat([bytes.subarray(0, middle), bytes.subarray(middle + sector)]),
    ],
    [
      "a sector repeated",
      (bytes, middle) => Buffer.concat([bytes.subarray(0, middle + sector), bytes.subarray(middle)]),
    ],
    ["a sector blanked", (bytes, middle) => Buffer.from(bytes).fill(0, middle, middle + sector)],
    ["the second half cut off", (bytes, middle) => bytes.subarray(0, middle)],
  ];
  await abreast([...changes, ["the segment removed", undefined] as const], async ([what, edit]) => {
    const copy = copyOfData(dataDir);
    const path = segmentsOf(copy).at(-1) ?? "";
    const bytes = readFileSync(path);
    const middle = Math.floor(written(bytes) / 2 / sector) * sector;
    if (edit === undefined) rmSync(path);
    else writeFileSync(path, edit(bytes, middle));
    const { code, stdout, stderr } = await mess(["verify", copy]);
    hold(code === 65, `${what}: verify ends with ${code}: ${stdout}${stderr}`);
  });
}

async function underRunning(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const client = await arena.connect(await arena.principal("everything"));
  for (let index = 0; index < letters; index += 1) {
    await client.publish({ topic: "a", payload: "x".repeat(3_000), qos: 1 });
  }
  // what was written stays as it is from here on
  const rotated = await arena.admin("/v1/storage/rotate-data-key", { method: "POST" });
  if (rotated.status !== 200) throw new Error(`no new segment: ${rotated.status}`);
  const path = segmentsOf(arena.broker.dataDir)[0] ?? "";
  const file = openSync(path, "r+");
  const at = Math.floor(written(readFileSync(path)) / 2);
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.of((byte[0] ?? 0) ^ 0x10), 0, 1, at);
  closeSync(file);
  const seen = await arena.observe();
  await arena.admin("/v1/storage/scrub", { method: "POST" });
  for (let waited = 0; waited < 100 && seen.events("journal.corrupt").length === 0; waited += 1) await sleep(50);
  hold(seen.events("journal.corrupt").length > 0, "a changed bit of the journal is passed over");
}
