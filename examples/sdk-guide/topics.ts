// Typed topics: publish, subscribe, and what happens to what does not fit.
import { connect, MessError } from "@mess/client";
import { z } from "zod";

await using mess = await connect(process.env["MESS_URL"] ?? "mqtts://localhost:8883", {
  auth: { token: () => process.env["MESS_KEY"] ?? "none.none" }, // asked again at each connection
  reconnect: { min: "200ms", max: "30s" },
  offline: { maxMessages: 10_000, maxBytes: 8 << 20, whenFull: "reject" },
});
mess.on("state", ({ name, reason }) => console.error(name, reason?.code ?? ""));

const Reading = z.object({ sensor: z.string(), celsius: z.number() });
const readings = mess.topic("plant/{line}/temp", Reading);

// Subscribes now; the loop below reads. Left out or "+", a parameter is a wildcard.
const reader = readings.subscribe({ line: "+" });
await reader.ready;

const receipt = await readings.publish({ line: 7 }, { sensor: "a", celsius: 21.5 }, { key: "a", expiresIn: "1h" });
console.log(receipt.durability, receipt.duplicate, receipt.subscribed); // persisted false true

for await (const { params, value, offset } of reader) {
  console.log(params.line, value.celsius, offset === receipt.offset); // 7 21.5 true
  break; // leaving the loop unsubscribes
}

try {
  await readings.publish({ line: 8 }, { sensor: "b", celsius: Number.NaN });
} catch (error) {
  if (!(error instanceof MessError)) throw error;
  console.log(error.code); // INVALID_PAYLOAD
}

// Of several publishes with the same id, one is stored.
const first = await readings.publish({ line: 9 }, { sensor: "c", celsius: 1 }, { id: "reading-42" });
const again = await readings.publish({ line: 9 }, { sensor: "c", celsius: 1 }, { id: "reading-42" });
console.log(again.duplicate, again.offset === first.offset); // true true

// Not now: in an hour, also over restarts of the broker.
await readings.publish({ line: 9 }, { sensor: "c", celsius: 1 }, { delay: "1h" });

// Text and bytes are what they are.
const notes = mess.topic("notes", { codec: "text" });
await notes.publish("plain text", { retain: true });
for await (const { value, retained } of notes.subscribe()) {
  console.log(value, retained); // plain text true
  break;
}
