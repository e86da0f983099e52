import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Checkpoint,
  formatProof,
  leafHash,
  type ProvedMessage,
  parseProof,
  type RecordExtra,
  readCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyProof,
} from "@mess/client/proofs";
import { CliError, configurationError } from "../cli-error.ts";
import type { ProofOptions, ProofSinceOptions, ProofVerifyOptions } from "../commands/proof.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";
import { formatCount } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, numberField, objectFrom, textField } from "./answer.ts";
import { readPayload } from "./read-stdin.ts";

export async function proveRecord(io: Io, seq: number, options: ProofOptions): Promise<void> {
  const administration = await administer(io, options);
  const answer = objectFrom(await administration.request({ method: "GET", path: `/v1/log/inclusion?seq=${seq}` }));
  const index = numberField(answer, "index");
  const path = hashesField(answer, "path");
  const leafData = bytesField(answer, "leafData");
  const proof = { index, size: numberField(answer, "size"), leaf: await leafHash(leafData), path };
  if (!(await verifyInclusion(proof, bytesField(answer, "root"))))
    throw disproved("the server's proof does not verify");
  const extra = { seq, leafData: textField(answer, "leafData"), ...recordOf(answer) };
  const text = formatProof({ index, path, checkpoint: textField(answer, "checkpoint"), extra });
  await put(io, options.out, text);
}

export async function getCheckpoint(io: Io, options: ProofOptions): Promise<void> {
  await put(io, options.out, await requestText(io, options, "/v1/log/checkpoint"));
}

export async function getLogKey(io: Io, options: TargetOptions): Promise<void> {
  await print(io, await requestText(io, options, "/v1/log/key"));
}

export async function proveSince(io: Io, file: string, options: ProofSinceOptions): Promise<void> {
  const logKey = await readLogKey(io, options.logKey);
  const before = await checked(await readText(io, file), logKey, `the checkpoint in ${file}`);
  const administration = await administer(io, options);
  const path = `/v1/log/consistency?from=${before.size}`;
  const hints = {
    404: `the journal does not go that far, or dropped what the proof needs; do not trust it without \`mess verify --checkpoint ${file}\``,
  };
  const answer = objectFrom(await administration.request({ method: "GET", path, hints }));
  const text = textField(answer, "checkpoint");
  const now = await checked(text, logKey, "the server's checkpoint");
  const sizes = { from: before.size, to: now.size, fromRoot: before.root, toRoot: now.root };
  if (now.origin !== before.origin || !(await verifyConsistency({ ...sizes, path: hashesField(answer, "path") }))) {
    throw disproved(`the journal is not the one of ${file}: what was signed then was changed or rolled back`);
  }
  if (options.out !== undefined) await put(io, options.out, text);
  if (options.json === true) return printJson(io, { origin: now.origin, from: before.size, to: now.size });
  note(io, `the journal only grew: ${formatCount(before.size)} frames then, ${formatCount(now.size)} now`);
}

export async function verifyProofFile(io: Io, file: string, options: ProofVerifyOptions): Promise<void> {
  const logKey = await readLogKey(io, options.logKey);
  const text = await readText(io, file);
  const proof = parseProof(text);
  if (proof === undefined) {
    const { origin, size } = await checked(text, logKey, `the checkpoint in ${file}`);
    if (options.json === true) return printJson(io, { origin, size });
    return print(io, `signed by ${origin}: a journal of ${formatCount(size)} frames\n`);
  }
  const verified = await verifyProof(proof, logKey);
  if (verified === undefined) throw disproved(`${file} proves nothing: its signature or its path does not verify`);
  const { origin, size } = verified.checkpoint;
  const { index, extra } = proof;
  const message = verified.record?.message;
  if (options.json === true) {
    const shown = message && { ...message, payload: Buffer.from(message.payload).toString("base64") };
    return printJson(io, { origin, size, index, ...extra, ...(shown && { message: shown }) });
  }
  await print(io, `in the journal of ${origin}: frame ${index} of ${formatCount(size)}, leaf data ${extra.leafData}\n`);
  if (message !== undefined) await print(io, `record ${extra.seq} is this message: ${messageText(message)}\n`);
}

function messageText({ topic, publisher, publishedAt, payload }: ProvedMessage): string {
  const who = publisher === "" ? "" : ` by ${printable(publisher)}`;
  const what = printable(Buffer.from(payload).toString("utf8"));
  return `${printable(topic)}${who} at ${new Date(publishedAt).toISOString()}: ${what}`;
}

async function checked(text: string, logKey: string, what: string): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(text, logKey);
  if (checkpoint === undefined) throw disproved(`${what} is not signed by this log key`);
  return checkpoint;
}

function disproved(message: string): CliError {
  return new CliError(ExitCode.damaged, message, "keep both as they are: they are evidence");
}

async function requestText(io: Io, options: TargetOptions, path: string): Promise<string> {
  const administration = await administer(io, options);
  const { chunks } = await administration.stream({ method: "GET", path });
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  return Buffer.concat(pieces).toString("utf8");
}

async function put(io: Io, out: string | undefined, text: string): Promise<void> {
  if (out === undefined) return print(io, text);
  const path = resolve(io.cwd, out);
  await writeFile(path, text, { flag: "wx" }).catch((error: unknown) => {
    throw new CliError(ExitCode.inputOutput, `${path} cannot be written`, "name a file that is not there yet", error);
  });
  note(io, `wrote ${out}`);
}

async function readText(io: Io, file: string): Promise<string> {
  if (file === "-") return Buffer.from(await readPayload(io)).toString("utf8");
  const path = resolve(io.cwd, file);
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new CliError(ExitCode.inputOutput, `${path} cannot be read`, undefined, error);
  });
}

/** A key has plus signs; else it is a file. */
async function readLogKey(io: Io, given: string): Promise<string> {
  if (given.includes("+")) return given;
  const text = (await readText(io, given)).trim();
  if (text.includes("+")) return text;
  throw configurationError(`${given} holds no verifier key`, "`mess proof key` prints it: name+id+key");
}

/** The record, where the server shows it to this key. */
function recordOf(answer: AnswerObject): { record?: RecordExtra } {
  if (answer["record"] === undefined) return {};
  const record = objectFrom(answer["record"]);
  if (typeof record["body"] !== "string") return {};
  const [index, count, kind] = ["index", "count", "kind"].map((name) => numberField(record, name));
  const path = Array.isArray(record["path"]) ? record["path"].map(String) : [];
  const { body } = record;
  return {
    record: { index: index ?? 0, count: count ?? 0, kind: kind ?? 0, salt: textField(record, "salt"), path, body },
  };
}

function bytesField(answer: AnswerObject, name: string): Uint8Array {
  return Buffer.from(textField(answer, name), "base64");
}

function hashesField(answer: AnswerObject, name: string): Uint8Array[] {
  const value = answer[name];
  return Array.isArray(value) ? value.map((one) => Buffer.from(String(one), "base64")) : [];
}
