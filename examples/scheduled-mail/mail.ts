import { z } from "zod";

export const Mail = z.object({ to: z.string().includes("@"), subject: z.string(), text: z.string() });
export const mailTopic = "mails/outgoing";
