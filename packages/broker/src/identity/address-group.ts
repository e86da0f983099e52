import { isIPv4, isIPv6 } from "node:net";

const OTHER_LENGTH_MAX = 64;
/** Hextets of a /64. */
const NETWORK_HEXTETS = 4;

/**
 * The unit that limits per address count in: an IPv4 address, or the /64 of an IPv6 address (one subscriber has at
 * least that many). An IPv4 address written as IPv6 is that IPv4 address. Other text is taken as it is, cut to 64
 * characters.
 */
export function addressGroup(address: string): string {
  if (isIPv4(address)) return address;
  const zone = address.indexOf("%");
  const plain = (zone === -1 ? address : address.slice(0, zone)).toLowerCase();
  if (!isIPv6(plain)) return address.slice(0, OTHER_LENGTH_MAX);
  const hextets = expand(plain);
  const mapped = hextets.slice(0, 5).every((hextet) => hextet === 0) && hextets[5] === 0xffff;
  if (mapped) return ipv4(hextets[6] ?? 0, hextets[7] ?? 0);
  const network = hextets.slice(0, NETWORK_HEXTETS).map((hextet) => hextet.toString(16));
  return `${network.join(":")}::/64`;
}

/** The eight hextets of a valid IPv6 address. */
function expand(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const left = hextetsOf(head);
  if (tail === undefined) return left;
  const right = hextetsOf(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function hextetsOf(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((piece) => {
    if (!piece.includes(".")) return [Number.parseInt(piece, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = piece.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function ipv4(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
