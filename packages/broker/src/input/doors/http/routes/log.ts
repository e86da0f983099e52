/** The journal as a transparency log: signed checkpoints and proofs. */
import { z } from "zod";
import type { NoProof, RecordProof } from "../../../../model/log-proofs.ts";
import { MessageView, messageHeaderBytes } from "../../../../model/message.ts";
import { messageOffset } from "../../../../model/record.ts";
import { integer, nothing } from "../fields.ts";
import { HttpRefusal, type ProblemCode } from "../problem.ts";
import { type Route, route } from "../route.ts";

const common = { method: "GET", group: "Log", permission: "admin.audit" } as const;

const text = (description: string): { description: string; mediaType: string } => ({
  description,
  mediaType: "text/plain; charset=utf-8",
});

const hash = z.string().describe("32 bytes, base64");
const path = z.array(hash).describe("RFC 6962 section 2.1, in order");
const count = (what: string): z.ZodType<number, unknown> => integer(0, Number.MAX_SAFE_INTEGER).describe(what);

const recordSchema = z.strictObject({
  index: z.int().describe("place in the frame, from 0"),
  count: z.int().describe("records of the frame"),
  kind: z.int(),
  salt: z.string().describe("16 bytes, base64"),
  path,
  body: z.string().optional().describe("the record, base64: of a message, for who may subscribe to its topic"),
});

const inclusionSchema = z.strictObject({
  seq: z.int(),
  frame: z.strictObject({ firstSeq: z.int(), count: z.int() }).describe("records that the leaf stands for"),
  index: z.int().describe("number of the leaf, from 0"),
  size: z.int(),
  root: hash,
  leafData: z.string().describe("what the leaf is the hash of, base64"),
  path,
  record: recordSchema.optional().describe("where the topic has `proofs` and nothing of the frame is erased"),
  checkpoint: z.string().optional().describe("the signed note of that size; where the query names none"),
});

const consistencySchema = z.strictObject({
  from: z.int(),
  to: z.int(),
  fromRoot: hash,
  toRoot: hash,
  path,
  checkpoint: z.string().optional().describe("the signed note of size `to`; where the query names none"),
});

const codes: Readonly<Record<NoProof["reason"], ProblemCode>> = {
  unknown: "not-found",
  dropped: "not-found",
  outside: "not-found",
  busy: "too-many-requests",
};

function refused({ reason, message }: NoProof): HttpRefusal {
  return new HttpRefusal(codes[reason], message);
}

const base64 = (bytes: Buffer): string => bytes.toString("base64");

export function logRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      path: "/v1/log/checkpoint",
      summary: "What the journal has come to, as a signed C2SP checkpoint.",
      query: nothing,
      answers: { 200: text("The signed note.") },
      handle: ({ administration }) => plain(administration.log.checkpoint()),
    }),
    route({
      ...common,
      path: "/v1/log/key",
      summary:
        "The key that checkpoints are verified with, as a C2SP verifier key. Compare it over a way that you trust.",
      query: nothing,
      answers: { 200: text("`name+id+key`.") },
      handle: ({ administration }) => plain(`${administration.log.verifierKey}\n`),
    }),
    ...cosignedRoutes(),
    inclusionRoute(),
    consistencyRoute(),
  ];
}

function cosignedRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      path: "/v1/log/checkpoint/cosigned",
      summary: "The largest checkpoint that witnesses cosigned, with their signatures.",
      query: nothing,
      answers: { 200: text("The signed note.") },
      problems: ["not-found"],
      handle: ({ administration }) => {
        const note = administration.log.cosigned();
        if (note === undefined) throw new HttpRefusal("not-found", "No witness has cosigned a checkpoint.");
        return plain(note);
      },
    }),
    route({
      ...common,
      method: "POST",
      path: "/v1/log/checkpoint/cosignatures",
      summary: "Keeps the cosignatures of witnesses that the server knows.",
      query: nothing,
      body: z.strictObject({ note: z.string().max(16_384).describe("the checkpoint with their signature lines") }),
      answers: {
        200: {
          description: "What is cosigned now.",
          schema: z.strictObject({ size: z.int(), witnesses: z.array(z.string()) }),
        },
      },
      problems: ["invalid", "conflict", "unavailable"],
      handle: async ({ administration, body }) => ({ status: 200, body: await administration.log.cosign(body.note) }),
    }),
  ];
}

function plain(body: string): { status: number; body: string; mediaType: string } {
  return { status: 200, body, mediaType: "text/plain; charset=utf-8" };
}

function inclusionRoute(): Route {
  return route({
    ...common,
    path: "/v1/log/inclusion",
    summary: "Proof that a record is in the journal, in the leaf of its frame.",
    query: z.strictObject({
      seq: count("number of the record"),
      size: count("leaves of the tree; without, those of a new checkpoint").optional(),
    }),
    answers: { 200: { description: "The audit path.", schema: inclusionSchema } },
    problems: ["not-found", "unavailable"],
    handle: async ({ administration, caller, query }) => {
      const { log } = administration;
      const { seq } = query;
      const mayRead = (topic: string): boolean => administration.authorize(caller.principal, "subscribe", topic);
      const checkpoint = query.size === undefined ? log.checkpoint() : undefined;
      const proof = await log.inclusion(seq, query.size ?? log.head.size);
      if (!proof.ok) throw refused(proof);
      const { frame, index, size } = proof;
      const body = {
        ...{ seq, frame, index, size, root: base64(proof.root), leafData: base64(proof.leafData) },
        path: proof.path.map(base64),
        ...(proof.record !== undefined && { record: recordJson(proof.record, mayRead) }),
        ...(checkpoint !== undefined && { checkpoint }),
      };
      return { status: 200, body };
    },
  });
}

/** Who may prove that there is a record may not therefore read it. */
function recordJson(record: RecordProof, mayRead: (topic: string) => boolean): unknown {
  const { index, count, kind, salt, path: siblings, body } = record;
  const topic = topicOf(record);
  const shown = topic !== undefined && mayRead(topic);
  const shape = { index, count, kind, salt: base64(salt), path: siblings.map(base64) };
  return shown ? { ...shape, body: base64(body) } : shape;
}

function topicOf({ kind, body }: RecordProof): string | undefined {
  const start = messageOffset(kind);
  return start < 0 || body.length < start + messageHeaderBytes
    ? undefined
    : new MessageView().read(body, start, body.length).topic;
}

function consistencyRoute(): Route {
  return route({
    ...common,
    path: "/v1/log/consistency",
    summary: "Proof that the journal of an earlier size is the beginning of a later one.",
    query: z.strictObject({
      from: count("leaves of the earlier tree"),
      to: count("leaves of the later tree; without, those of a new checkpoint").optional(),
    }),
    answers: { 200: { description: "The consistency proof.", schema: consistencySchema } },
    problems: ["not-found", "unavailable"],
    handle: async ({ administration, query }) => {
      const { log } = administration;
      const checkpoint = query.to === undefined ? log.checkpoint() : undefined;
      const proof = await log.consistency(query.from, query.to ?? log.head.size);
      if (!proof.ok) throw refused(proof);
      const { from, to } = proof;
      const body = {
        ...{ from, to, fromRoot: base64(proof.fromRoot), toRoot: base64(proof.toRoot) },
        path: proof.path.map(base64),
        ...(checkpoint !== undefined && { checkpoint }),
      };
      return { status: 200, body };
    },
  });
}
