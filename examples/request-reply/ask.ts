// Asks what things cost.
import { MessError } from "@mess/client";
import { connectAsTold } from "../connect.ts";
import { Answer, priceTopic } from "./price.ts";

await using mess = await connectAsTold();
for (const sku of process.argv.slice(2)) {
  try {
    const { cents } = await mess.request(priceTopic, { sku }, { schema: Answer, timeout: "5s" });
    console.log(`${sku}: ${cents} cents`);
  } catch (error) {
    if (!(error instanceof MessError)) throw error;
    console.log(`${sku}: ${error.reason ?? error.code}, ${error.message}`);
  }
}
