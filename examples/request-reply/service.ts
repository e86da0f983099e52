// Answers what things cost. Several of these share the work: they are one group.
import { MessError } from "@mess/client";
import { connectAsTold, untilStopped } from "../connect.ts";
import { priceTopic, Question } from "./price.ts";

const prices: ReadonlyMap<string, number> = new Map([
  ["tea", 350],
  ["coffee", 420],
]);

await using mess = await connectAsTold();
await using service = mess.respond(
  priceTopic,
  ({ sku }) => {
    const cents = prices.get(sku);
    // A MessError is told to whoever asked; of anything else they hear only that the service failed.
    if (cents === undefined) throw new MessError("REMOTE_FAILURE", `we do not sell ${sku}`, { reason: "unknown-sku" });
    return { sku, cents };
  },
  { schema: Question, group: "price", concurrency: 16, signal: untilStopped() },
);
await service.ready;
console.log("answering");
await service.stopped;
