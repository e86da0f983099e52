/** Pieces of packets as bytes. Everything takes wrong values too: a test must be able to say what is not allowed. */

export function u8(value: number): Buffer {
  return Buffer.from([value & 0xff]);
}

export function u16(value: number): Buffer {
  return Buffer.from([(value >> 8) & 0xff, value & 0xff]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A variable byte integer. `length` pads it to a form longer than needed, which the standard forbids. */
export function vbi(value: number, length = 0): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 || bytes.length + 1 < length ? low | 0x80 : low);
  } while (rest > 0 || bytes.length < length);
  return Buffer.from(bytes);
}

/** A length-prefixed string, or length-prefixed bytes that need not be UTF-8. */
export function text(value: string | Buffer): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  return Buffer.concat([u16(bytes.length), bytes]);
}
