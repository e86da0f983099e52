/**
 * What Node's Buffer does faster than plain JavaScript, if it is there. This package runs in browsers too, so Buffer
 * is looked up once, tried once, and everything works without it.
 */

/** The methods of Buffer.prototype we call on plain Uint8Arrays. */
interface NativePrototype {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  copy(this: Uint8Array, target: Uint8Array, targetStart: number, sourceStart: number, sourceEnd: number): number;
}

/** Copies up to this many bytes are faster as a loop than as a call into the engine (measured, see wire.bench.ts). */
const LOOP_COPY_MAX = 32;

/** A polyfill may lack these methods or insist on its own type: only what passes a trial is used. */
function findNative(): NativePrototype | undefined {
  const prototype = (globalThis as { Buffer?: { prototype?: Partial<NativePrototype> } }).Buffer?.prototype;
  if (!prototype?.latin1Slice || !prototype.utf8Slice || !prototype.copy) return undefined;
  try {
    const sample = new Uint8Array([0x61, 0xc3, 0xa9, 0x62]);
    const target = new Uint8Array(4);
    prototype.copy.call(sample, target, 1, 1, 4);
    const works =
      prototype.latin1Slice.call(sample, 0, 1) === "a" &&
      prototype.utf8Slice.call(sample, 1, 4) === "\u00e9b" &&
      target.join() === "0,195,169,98";
    return works ? (prototype as NativePrototype) : undefined;
  } catch {
    return undefined;
  }
}

const native: NativePrototype | undefined = findNative();

// A byte order mark is text like any other [MQTT-1.5.4-3], so the decoder must not swallow it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text of bytes that are known to be ASCII. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return native ? native.latin1Slice.call(bytes, start, end) : decoder.decode(bytes.subarray(start, end));
}

/** Text of UTF-8 bytes; ill-formed sequences become U+FFFD. */
export function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  return native ? native.utf8Slice.call(bytes, start, end) : decoder.decode(bytes.subarray(start, end));
}

/** Copies source[start, end) to target at `at`; returns the end in target. The caller has checked both ranges. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  const length = end - start;
  if (length <= LOOP_COPY_MAX) {
    for (let index = 0; index < length; index++) target[at + index] = source[start + index] as number;
  } else if (native) {
    native.copy.call(source, target, at, start, end);
  } else {
    target.set(source.subarray(start, end), at);
  }
  return at + length;
}

/** An independent copy. (`slice` will not do: on a Buffer it is a view of the same memory.) */
export function ownBytes(source: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copyBytes(source, start, end, copy, 0);
  return copy;
}
