import { z } from "zod";

/** What happens to an order. One schema gives the type and the check, in the shop and in the pipeline. */
export const OrderEvent = z.object({
  order: z.string(),
  step: z.enum(["created", "paid", "shipped"]),
  cents: z.number().int().optional(),
});

/** The customer's level is the ordering key (policy.toml), so that no publisher has to think of it. */
export const orderTopic = "orders/{customer}/{order}";
