/**
 * Packets written for people. Tokens, divided by blanks: `3a` a byte, `#1234` a two-byte integer, `##60` a four-byte
 * one, `'text'` a string behind its length, `"text"` bare text, `L` as second token: the remaining length, worked out.
 * `{ ... }` puts the length of its content in front, as properties have it.
 */
const encoder = new TextEncoder();

export function variableInteger(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

function token(text: string): number[] {
  if (text.startsWith("##")) {
    const value = Number(text.slice(2));
    return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256);
  }
  if (text.startsWith("#")) return [Number(text.slice(1)) >> 8, Number(text.slice(1)) & 255];
  if (text.startsWith('"')) return [...encoder.encode(text.slice(1, -1))];
  if (text.startsWith("'")) {
    const bytes = encoder.encode(text.slice(1, -1));
    return [bytes.length >> 8, bytes.length & 255, ...bytes];
  }
  if (!/^[0-9a-f]{2}$/.test(text)) throw new Error(`no such token: ${text}`);
  return [Number.parseInt(text, 16)];
}

export function packetBytes(text: string): Uint8Array {
  const stack: number[][] = [[]];
  let header: number[] | undefined;
  for (const part of text.match(/'[^']*'|"[^"]*"|[^\s]+/g) ?? []) {
    if (part === "L") {
      header = stack.pop();
      stack.push([]);
    } else if (part === "{") {
      stack.push([]);
    } else if (part === "}") {
      const block = stack.pop() as number[];
      stack.at(-1)?.push(...variableInteger(block.length), ...block);
    } else {
      stack.at(-1)?.push(...token(part));
    }
  }
  const body = stack.pop() as number[];
  return Uint8Array.from(header === undefined ? body : [...header, ...variableInteger(body.length), ...body]);
}
