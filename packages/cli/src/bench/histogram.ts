const subBits = 8;
const half = 1 << (subBits - 1);
/** 2^31 µs, about 35 minutes: what is longer counts as that. */
const valueMax = 0x7fff_ffff;
const buckets = (31 - subBits + 1) * half + half * 2;

/**
 * Counts times in buckets that grow with the value (log-linear): every recorded value is known to better than 0.8 %, in
 * 26 KB, at a few nanoseconds a value. Values are whole microseconds.
 */
export class Histogram {
  readonly #counts = new Float64Array(buckets);
  #count = 0;
  #sum = 0;
  #max = 0;

  record(microseconds: number): void {
    const value = microseconds < 0 ? 0 : microseconds > valueMax ? valueMax : Math.round(microseconds);
    const index = bucketOf(value);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    this.#sum += value;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** The least bucket bound that at least this share (0 to 1) of the values does not exceed; 0 when there are none. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let index = 0; index < buckets; index += 1) {
      seen += this.#counts[index] ?? 0;
      if (seen >= wanted) return Math.min(upperBound(index), this.#max);
    }
    return this.#max;
  }
}

function bucketOf(value: number): number {
  if (value < half * 2) return value;
  const shift = 31 - Math.clz32(value) - (subBits - 1);
  return shift * half + (value >>> shift);
}

function upperBound(index: number): number {
  if (index < half * 2) return index;
  const shift = Math.floor(index / half) - 1;
  const mantissa = index - shift * half;
  return (mantissa + 1) * 2 ** shift - 1;
}
