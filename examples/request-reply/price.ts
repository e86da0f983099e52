import { z } from "zod";

export const priceTopic = "services/price";
export const Question = z.object({ sku: z.string() });
export const Answer = z.object({ sku: z.string(), cents: z.number().int() });
