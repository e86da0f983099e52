/** The shape of the configuration, once, for every source; and the checks a single value can fail. */
import { isIP } from "node:net";
import { z } from "zod";
import { type JwtConfig, readJwtTables } from "./jwt-config.ts";
import { type LimitRow, limitNames, limitTable } from "./limit-table.ts";
import { readLimit } from "./limit-value.ts";
import type { Limits } from "./limits.ts";
import { type LogLevel, logLevels } from "./serve-config.ts";

// The broker runs with --disallow-code-generation-from-strings (LESSONS 38); zod must not try to compile.
z.config({ jitless: true });

const TEXT_LENGTH_MAX = 4_096;
const HOST_NAMES_MAX = 100;
/** RFC 1035 2.3.4. */
const HOST_NAME_LENGTH_MAX = 253;
const DESCRIPTOR_MAX = 1_048_575;

/** What the sources may say; every key may be missing. Quantities are plain numbers after it. */
export interface PartialServeConfig {
  data?: string | undefined;
  listen?: string | undefined;
  mqttPort?: number | undefined;
  httpPort?: number | undefined;
  mqttsPort?: number | undefined;
  hostNames?: string[] | undefined;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  clientCa?: string | undefined;
  clientCrl?: string | undefined;
  kekFile?: string | undefined;
  kekFd?: number | undefined;
  kekCommand?: string | undefined;
  insecureDev?: boolean | undefined;
  policyFile?: string | undefined;
  checkpointFile?: string | undefined;
  witnessKeysFile?: string | undefined;
  logLevel?: LogLevel | undefined;
  limits?: { [Name in keyof Limits]?: number | undefined } | undefined;
  jwt?: readonly JwtConfig[] | undefined;
}

const text = z
  .string({ error: "is text" })
  .min(1, { error: "is empty" })
  .max(TEXT_LENGTH_MAX, { error: `is longer than ${TEXT_LENGTH_MAX} characters` })
  .refine((value) => !value.includes("\u0000"), { error: "holds a zero character" });

const hostName = text.refine(isHostName, { error: "is neither a host name nor an IP address" });

const PORT_ERROR = "is a whole number from 0 to 65535";
const port = z.number({ error: PORT_ERROR }).int({ error: PORT_ERROR }).min(0, { error: PORT_ERROR }).max(65_535, {
  error: PORT_ERROR,
});

const DESCRIPTOR_ERROR = "is the number of an open file descriptor: 0, or 3 and more";
const descriptor = z
  .number({ error: DESCRIPTOR_ERROR })
  .int({ error: DESCRIPTOR_ERROR })
  .max(DESCRIPTOR_MAX, { error: DESCRIPTOR_ERROR })
  // 1 and 2 are where the broker writes.
  .refine((value) => value === 0 || value >= 3, { error: DESCRIPTOR_ERROR });

function limit(row: LimitRow): z.ZodType<number> {
  return z.unknown().transform((value, context) => {
    const read = readLimit(value, row);
    if ("value" in read) return read.value;
    context.issues.push({ code: "custom", message: read.problem, input: value });
    return z.NEVER;
  });
}

function limitShape(): Record<string, z.ZodType> {
  return Object.fromEntries(limitNames.map((name) => [name, limit(limitTable[name]).optional()]));
}

/** Strict: an unknown key is an error here too, should the sources' own check ever miss one. */
export const serveSchema: z.ZodType<PartialServeConfig> = z.strictObject({
  data: text.optional(),
  listen: hostName.optional(),
  mqttPort: port.optional(),
  httpPort: port.optional(),
  mqttsPort: port.optional(),
  hostNames: z
    .array(hostName, { error: "is an array of host names" })
    .max(HOST_NAMES_MAX, { error: `has more than ${HOST_NAMES_MAX} names` })
    .optional(),
  tlsCert: text.optional(),
  tlsKey: text.optional(),
  clientCa: text.optional(),
  clientCrl: text.optional(),
  kekFile: text.optional(),
  kekFd: descriptor.optional(),
  kekCommand: text.optional(),
  insecureDev: z.boolean({ error: "is true or false" }).optional(),
  policyFile: text.optional(),
  checkpointFile: text.optional(),
  witnessKeysFile: text.optional(),
  logLevel: z.enum(logLevels, { error: `is one of ${logLevels.join(", ")}` }).optional(),
  limits: z.strictObject(limitShape()).optional(),
  jwt: z
    .unknown()
    .transform((value, context) => {
      const read = readJwtTables(value);
      if ("jwt" in read) return read.jwt;
      for (const message of read.problems) context.issues.push({ code: "custom", message, input: value });
      return z.NEVER;
    })
    .optional(),
}) as z.ZodType<PartialServeConfig>;

/** RFC 1123 labels, also with a `*` in front, or an address. */
function isHostName(name: string): boolean {
  if (isIP(name) !== 0) return true;
  if (name.length > HOST_NAME_LENGTH_MAX) return false;
  return name.split(".").every((label, index) => {
    if (index === 0 && label === "*") return true;
    return /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label);
  });
}
