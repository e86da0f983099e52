import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { atEachDoor } from "./support/moves.ts";

/** What `$share/` must not be read as [MQTT-4.8.2-1], [MQTT-4.8.2-2]. */
const illFormed = [
  "$share",
  "$share/",
  "$share/g",
  "$share/g/",
  "$share//t",
  "$share/+/t",
  "$share/#/t",
  "$share/g+/t",
  "$share/g#/t",
  "$share/g/a#",
  "$share/g/#/a",
  "$share/g/a+",
  "$share/g/$share/h/t",
];

export const e05 = attack({
  id: "E5",
  title: "Shared subscriptions and the parsing of $share",
  threat: "The prefix hides the filter from the rights, joins the group of another, or is read two ways.",
  mitigation:
    "The filter behind `$share/NAME/` is what rights are asked for; what is ill-formed is refused; a group has members of any principal that may read, and each message is asked for each of them.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("prefixes that are none", async (arena, door) => {
      const { version } = arena.broker;
      for (const filter of illFormed) {
        const client = await arena.connect(await arena.principal("everything"), {}, door);
        client.send(build.subscribe({ version, filters: [filter], id: 1 }));
        const suback = await client.take("SUBACK", 600).catch(() => undefined);
        hold(suback === undefined || (suback.codes[0] ?? 0x80) >= 0x80, `${filter} is granted`);
        client.stream.destroy();
      }
    }),
    {
      name: "a member of a group that may not read a part",
      run: maskedMember,
      elsewhere: lacks("there are no rights by default"),
    },
  ],
});

/** Every message of the group goes to a member that may read it, and none to the other. */
async function maskedMember(arena: Arena): Promise<void> {
  const level = unique("x");
  const group = `$share/${unique("g")}/+/${level}`;
  const open = await arena.connect(await arena.principal("everything"));
  const masked = await arena.connect(await arena.principal("masked"));
  for (const client of [open, masked]) {
    client.autoAck = true;
    await client.subscribe({ filter: group, qos: 1 });
  }
  const sender = await arena.connect(await arena.principal("everything"));
  const count = 20;
  for (let index = 0; index < count; index += 1) {
    await sender.publish({ topic: `secret/${level}`, payload: String(index), qos: 1 });
  }
  await open.messages(count);
  await masked.ping();
  hold(masked.waiting("PUBLISH").length === 0, "a member gets what it may not read");
}
