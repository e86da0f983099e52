import { attack, lacks } from "./support/attack.ts";
import { sameVerdicts } from "./support/verdicts.ts";

export const a17 = attack({
  id: "A17",
  title: "Consumer: access by another protocol",
  threat: "What one protocol refuses another gives: each door has its own idea of a right, or forgets to ask.",
  mitigation: "One `authorize()` for every door and path; a door knows no rights of its own.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "the same right asked for through MQTT 3.1.1, MQTT 5.0, WebSocket and HTTP",
      run: (arena) => sameVerdicts(arena, { actions: ["publish", "subscribe"], seed: 17 }),
      elsewhere: lacks("there are no rights by default: every door gives everything"),
    },
  ],
});
