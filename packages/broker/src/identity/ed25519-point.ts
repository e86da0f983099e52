/**
 * What OpenSSL does not ask of an Ed25519 public key or signature. A key of small order would make signatures that hold
 * for any message, and two encodings of one point or scalar would make two signatures out of one (RFC 8032, section 5.1;
 * THREATS D7).
 */

const encodedBytes = 32;
/** The field's prime, the curve's constant, and the order of the group the base point makes. */
const p = 2n ** 255n - 19n;
const d = -121665n * inverse(121666n);
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

/** Why these 32 bytes are no public key that can be trusted; empty when they are one. */
export function publicKeyProblem(bytes: Uint8Array): string {
  if (bytes.length !== encodedBytes) return `an Ed25519 public key has ${encodedBytes} bytes, not ${bytes.length}`;
  const signBit = 1n << 255n;
  const encoded = littleEndian(bytes);
  const y = encoded % signBit;
  if (y >= p) return "the public key is not in its canonical form";
  const xSquared = mod((y * y - 1n) * inverse(d * y * y + 1n));
  // Euler: what is not a square gives p - 1.
  if (xSquared !== 0n && power(xSquared, (p - 1n) / 2n) !== 1n) return "the public key is not a point of the curve";
  if (xSquared === 0n && encoded >= signBit) return "the public key is not in its canonical form";
  return isSmallOrder(xSquared, y) ? "the public key is of small order: any message would bear its signature" : "";
}

/** True when the second half of the signature is below the group's order. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  return signature.length === 2 * encodedBytes && littleEndian(signature.subarray(encodedBytes)) < groupOrder;
}

/**
 * Doubling three times gives the neutral element (0, 1) exactly when the order divides 8. Of a point only x² and y are
 * needed: y of the double is (y² + x²) / (1 - d x² y²), and its x² follows from the curve's equation.
 */
function isSmallOrder(xSquared: bigint, y: bigint): boolean {
  let [u, v] = [xSquared, y];
  for (let doubling = 0; doubling < 3; doubling++) {
    v = mod((v * v + u) * inverse(1n - d * u * v * v));
    u = mod((v * v - 1n) * inverse(d * v * v + 1n));
  }
  return u === 0n && v === 1n;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function mod(value: bigint): bigint {
  const rest = value % p;
  return rest < 0n ? rest + p : rest;
}

function inverse(value: bigint): bigint {
  return power(value, p - 2n);
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}
