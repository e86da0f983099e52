// LESSONS 4, Mosquitto CVE-2017-7653. Elsewhere a topic that is not UTF-8 was passed on, and every strict subscriber
// ended its connection over it. Here its author is told 0x81 or 0x90 and the subscriber sees nothing.
import { cutOff, nothingComes } from "../../attacks/support/moves.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const illFormed: readonly (readonly [string, string])[] = [
  ["an overlong NUL", "c080"],
  ["a surrogate", "eda080"],
  ["a pair of surrogates", "eda080edb080"],
  ["beyond U+10FFFF", "f4908080"],
  ["U+0000", "00"],
  ["U+FFFF", "efbfbf"],
  ["a byte alone", "ff"],
  ["a form cut short", "e282"],
];

atEachDoor(field, "topics that are not UTF-8 end their author and nobody else", async (arena, door) => {
  const everybody = await arena.principal("everything");
  const watcher = await arena.connect(everybody, {}, door);
  await watcher.subscribe("#");
  for (const [what, hex] of illFormed) {
    for (const version of [4, 5] as const) {
      const topic = Buffer.concat([Buffer.from("a/"), Buffer.from(hex, "hex")]);
      const author = await arena.connect(everybody, { version }, door);
      author.send(build.publish({ version, topic, payload: what }));
      if (version === 4) await cutOff(arena, author);
      else await cutOff(arena, author, { codes: [0x81, 0x90] });
    }
  }
  await nothingComes(watcher, "an ill-formed topic is passed on");
  await watcher.ping();
});
