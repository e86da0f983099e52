/** What is published to `$mess/lease/NAME`: the fate of one delivery. */
import type { Limits } from "../../../config/limits.ts";
import type { Settlement } from "../../../model/queue.ts";
import { isRefused, type Refused, reservedProperties, type UserProperties, wrongValue } from "./mess-properties.ts";
import { delayOf } from "./publish-properties.ts";

type SettlementLimits = Pick<Limits, "delayMsMax" | "leaseMsMax" | "settlementReasonBytesMax">;

const verbs = ["ack", "nack", "reject", "release", "extend"] as const;
type Verb = (typeof verbs)[number];

/** The verb is the payload; nothing means `ack`. */
export function readSettlement(
  payload: string,
  properties: UserProperties,
  limits: SettlementLimits,
): { readonly settlement: Settlement } | Refused {
  const verb: Verb | undefined = payload === "" ? "ack" : verbs.find((known) => known === payload);
  if (verb === undefined) {
    return { refusal: `the payload says what becomes of the message: ${verbs.join(", ")}, or nothing for ack` };
  }
  const given = reservedProperties(properties, "a settlement");
  if (isRefused(given)) return given;
  const delay = given.get("mess-delay");
  if (delay !== undefined && verb !== "nack" && verb !== "extend") return notWith("mess-delay", verb);
  const reason = given.get("mess-reason");
  if (reason !== undefined && verb !== "nack" && verb !== "reject") return notWith("mess-reason", verb);
  if (reason !== undefined && Buffer.byteLength(reason) > limits.settlementReasonBytesMax) {
    return wrongValue("mess-reason", `of at most ${limits.settlementReasonBytesMax} bytes of UTF-8`);
  }
  const time =
    delay === undefined ? undefined : delayOf(delay, verb === "extend" ? limits.leaseMsMax : limits.delayMsMax);
  if (time !== undefined && isRefused(time)) return time;
  return { settlement: settlementOf(verb, time?.value, reason) };
}

/** The start of a text, so long that it fits: of reasons that cannot be refused because nobody would hear it. */
export function fitting(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text, "utf8");
  let end = bytesMax;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

function settlementOf(verb: Verb, delayMs: number | undefined, reason: string | undefined): Settlement {
  switch (verb) {
    case "nack":
      return { verb, ...(delayMs !== undefined && { delayMs }), ...(reason !== undefined && { reason }) };
    case "reject":
      return { verb, ...(reason !== undefined && { reason }) };
    case "extend":
      return { verb, ...(delayMs !== undefined && { forMs: delayMs }) };
    default:
      return { verb };
  }
}

function notWith(name: string, verb: Verb): Refused {
  return { refusal: `the user property "${name}" says nothing with "${verb}"` };
}
