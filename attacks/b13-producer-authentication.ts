import { attack, lacks } from "./support/attack.ts";
import { badCredentials } from "./support/bad-credentials.ts";
import { badPasswords } from "./support/bad-logins.ts";

const noMethods = lacks("asks for no credential by default");

export const b13 = attack({
  id: "B13",
  title: "Producer: authentication",
  threat: "A wrong credential of some method is let in at some door, or the answer tells what was wrong.",
  mitigation: "Every method ends in one authenticator; wrong, unknown and revoked look alike and take the same path.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    ...badCredentials("publish"),
    { name: "passwords (SCRAM), and a login that somebody heard", run: badPasswords, elsewhere: noMethods },
  ],
});
