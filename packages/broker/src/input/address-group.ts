import { isIPv6 } from "node:net";

/**
 * What per-address limits count by: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address of
 * a /64 has them all. IPv4 written as IPv6 (`::ffff:192.0.2.1`) is IPv4.
 */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const bare = address.split("%", 1)[0] as string;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  if (mapped !== null) return mapped[1] as string;
  const [head = "", tail] = bare.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  // An IPv4 tail fills two of the eight groups; it never reaches the first four of a `::` form it may stand in.
  const rightWidth = right.length + (right.at(-1)?.includes(".") === true ? 1 : 0);
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - left.length - rightWidth)).fill("0");
  const prefix = [...left, ...zeros, ...right].slice(0, 4);
  return `${prefix.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
