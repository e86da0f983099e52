// Questions and answers.
import { connect, MessError } from "@mess/client";
import { z } from "zod";

await using mess = await connect(process.env["MESS_URL"] ?? "mqtts://localhost:8883");

const Question = z.object({ sku: z.string() });
await using service = mess.respond(
  "services/price",
  ({ sku }) => {
    if (sku === "gold") throw new MessError("REMOTE_FAILURE", "we do not sell gold", { reason: "unknown-sku" });
    return { cents: 350 };
  },
  { schema: Question, group: "price" },
);
await service.ready;

const Answer = z.object({ cents: z.number() });
const { cents } = await mess.request("services/price", { sku: "tea" }, { schema: Answer, timeout: "2s" });
console.log(cents); // 350

for (const [topic, sku] of [
  ["services/price", "gold"],
  ["services/nobody", "tea"],
] as const) {
  try {
    await mess.request(topic, { sku });
  } catch (error) {
    if (!(error instanceof MessError)) throw error;
    console.log(error.code, error.reason ?? ""); // REMOTE_FAILURE unknown-sku, NO_RESPONDER
  }
}
