/** Storage: its keys, and whether it is whole. */
import { z } from "zod";
import { nothing } from "../fields.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Storage", permission: "admin.storage", query: nothing } as const;

const dataKeySchema = z.strictObject({
  id: z.int().describe("key of the segment that is being written"),
  frames: z.int().describe("frames that it has sealed"),
  current: z.int().describe("key that the next segment will have"),
  madeAt: z.number().describe("when the current key was made, milliseconds since 1970; 0 when nobody knows"),
  keys: z.int().describe("data keys that are kept"),
});

const statusSchema = z.strictObject({
  dataKey: dataKeySchema,
  kek: z.enum(["file", "descriptor", "command", "memory"]).describe("where the key-encryption key comes from"),
  scrub: z.strictObject({
    bytes: z.int().describe("checked since the start"),
    passes: z.int().describe("that went through to their end"),
    running: z.boolean(),
    passBytes: z.int().optional().describe("to check in the pass that is under way"),
    passDone: z.int().optional(),
    endedAt: z.number().optional().describe("end of the last pass, milliseconds since 1970"),
    corrupt: z.array(
      z.strictObject({ file: z.string(), segment: z.int(), offset: z.int(), seq: z.int(), reason: z.string() }),
    ),
  }),
});

export function storageRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/storage",
      summary: "The keys of the data at rest, without the keys themselves, and what the scrub found.",
      answers: { 200: { description: "What is in use.", schema: statusSchema } },
      handle: ({ administration }) => ({ status: 200, body: administration.storage.status() }),
    }),
    route({
      ...common,
      method: "POST",
      path: "/v1/storage/scrub",
      summary: "Checks everything that is stored, in the background and now; `GET /v1/storage` tells how far it is.",
      answers: { 204: { description: "It has begun." } },
      problems: ["unavailable"],
      handle: async ({ administration, caller }) => {
        await administration.storage.scrub(caller.principal);
        return { status: 204 };
      },
    }),
    route({
      ...common,
      method: "POST",
      path: "/v1/storage/rotate-data-key",
      summary: "Seals what is written from here on with a new data key.",
      answers: { 200: { description: "The new key's number.", schema: z.strictObject({ key: z.int() }) } },
      problems: ["conflict", "unavailable"],
      handle: async ({ administration, caller }) => {
        return { status: 200, body: { key: await administration.storage.rotateDataKey(caller.principal) } };
      },
    }),
    route({
      ...common,
      method: "POST",
      path: "/v1/storage/rotate-kek",
      summary:
        "Wraps the data keys by another key-encryption key: a new one in the place of the key file, or what the key command gives now.",
      answers: {
        200: {
          description: "Where the new key is, and the file that keeps the one before.",
          schema: z.strictObject({ source: z.string(), kept: z.string().optional() }),
        },
      },
      problems: ["conflict", "unavailable"],
      handle: async ({ administration, caller }) => {
        return { status: 200, body: await administration.storage.rotateKek(caller.principal) };
      },
    }),
  ];
}
