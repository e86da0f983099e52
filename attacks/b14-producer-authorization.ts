import { attack, lacks } from "./support/attack.ts";
import { sameVerdicts } from "./support/verdicts.ts";

export const b14 = attack({
  id: "B14",
  title: "Producer: authorization per topic",
  threat: "A producer keeps a last value or leaves a will where it may only publish, at a door that does not ask.",
  mitigation: "`retain` and `will` are rights beside `publish`, asked by the one `authorize()` for every door.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "retain and will asked for through every door",
      run: (arena) => sameVerdicts(arena, { actions: ["retain", "will"], seed: 14 }),
      elsewhere: lacks("there are no rights by default: every door gives everything"),
    },
  ],
});
