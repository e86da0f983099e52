/** Encoded forms of messages that went to many clients lately: what one of them cost, the others get for a copy. */

export interface EncodedForm {
  /** Number of the record. */
  readonly seq: number;
  /** Version, QoS, RETAIN and DUP, packed. */
  readonly kind: number;
  readonly bytes: Buffer;
  /** Where the packet id is in `bytes`. */
  readonly packetIdAt: number;
}

const slots = 1_024;
/** Larger ones are encoded for each receiver: the copy is what costs then. With `slots` it bounds the memory. */
const bytesMax = 2_048;

/** One a door, since record numbers are those of one journal. */
export class SharedForms {
  readonly #forms: (EncodedForm | undefined)[] = new Array<EncodedForm | undefined>(slots).fill(undefined);

  get(seq: number, kind: number): EncodedForm | undefined {
    const form = this.#forms[slotOf(seq, kind)];
    return form !== undefined && form.seq === seq && form.kind === kind ? form : undefined;
  }

  put(form: EncodedForm): void {
    if (form.bytes.length <= bytesMax) this.#forms[slotOf(form.seq, form.kind)] = form;
  }
}

function slotOf(seq: number, kind: number): number {
  return (seq * 8 + (kind & 7)) % slots;
}
