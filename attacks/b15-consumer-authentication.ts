import { attack } from "./support/attack.ts";
import { badCredentials } from "./support/bad-credentials.ts";

export const b15 = attack({
  id: "B15",
  title: "Consumer: authentication",
  threat: "A consumer without a good credential gets a message: over MQTT, as a stream, from a queue.",
  mitigation: "Every method ends in one authenticator; wrong, unknown and revoked look alike and take the same path.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: badCredentials("consume"),
});
