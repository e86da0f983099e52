/**
 * `format`, of the formats that are checked. Draft 2020-12 lets it be a mere note; who declares one means it. Fixed
 * expressions without nested repetition: their time is linear.
 */
import { parseRfc3339 } from "../model/rfc3339.ts";

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const localPart = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uri = /^[a-z][a-z0-9+.-]*:(?:[a-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9a-f]{2})*$/i;
const duration = /^P(?:\d+W|(?=[\dT])(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)$/;
const octet = /^(?:0|[1-9]\d{0,2})$/;
const group = /^[0-9a-f]{1,4}$/i;

const formats: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["date-time", (text: string) => parseRfc3339(text) !== undefined],
  ["date", (text: string) => /^\d{4}-\d\d-\d\d$/.test(text) && parseRfc3339(`${text}T00:00:00Z`) !== undefined],
  ["time", (text: string) => parseRfc3339(`2000-01-01T${text}`) !== undefined],
  ["duration", (text: string) => duration.test(text)],
  ["email", isEmail],
  ["hostname", isHostName],
  ["ipv4", isIpv4],
  ["ipv6", isIpv6],
  ["uri", (text: string) => uri.test(text)],
  ["uuid", (text: string) => uuid.test(text)],
]);

export const formatNames: readonly string[] = [...formats.keys()];

export function formatCheck(name: string): ((text: string) => boolean) | undefined {
  return formats.get(name);
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  return at > 0 && at <= 64 && localPart.test(text.slice(0, at)) && isHostName(text.slice(at + 1));
}

function isHostName(text: string): boolean {
  return text.length <= 253 && text.split(".").every((part) => label.test(part));
}

function isIpv4(text: string): boolean {
  const parts = text.length > 15 ? [] : text.split(".");
  return parts.length === 4 && parts.every((part) => octet.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1)?.at(-1);
  const embedsIpv4 = last?.includes(".") === true;
  if (embedsIpv4 && !isIpv4(last)) return false;
  const plain = groups.flat();
  if (embedsIpv4) plain.pop();
  const count = plain.length + (embedsIpv4 ? 2 : 0);
  return plain.every((part) => group.test(part)) && (halves.length === 2 ? count < 8 : count === 8);
}
