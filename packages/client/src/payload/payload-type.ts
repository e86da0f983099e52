import { MessError } from "../mess-error.ts";
import type { MessageVerifier, SignedContent } from "../message-signing.ts";
import { type Codec, type CodecChoice, codecOf } from "./codec.ts";
import { describeIssues, type SchemaResult, type StandardSchema } from "./standard-schema.ts";

export interface PayloadOptions {
  readonly schema?: StandardSchema | undefined;
  readonly codec?: CodecChoice | undefined;
}

/** Values in payloads: a codec, and a schema that both ends hold them to. */
export class PayloadType {
  readonly codec: Codec;
  readonly #schema: StandardSchema | undefined;
  readonly #verify: MessageVerifier | undefined;

  /** @param verify asked of each message before anything of it is believed */
  constructor({ schema, codec }: PayloadOptions, verify?: MessageVerifier) {
    this.#verify = verify;
    this.codec = codecOf(codec);
    this.#schema = schema;
  }

  /** The property of a publish. */
  get contentType(): { readonly contentType?: string } {
    const { contentType } = this.codec;
    return contentType === undefined ? {} : { contentType };
  }

  /**
   * Bytes of a value that satisfies the schema. What is sent is the value as given: the receiver's schema transforms it.
   * A promise only when the schema needs one, so that calls keep their order.
   *
   * @throws MessError INVALID_PAYLOAD
   */
  encode(value: unknown): Uint8Array | Promise<Uint8Array> {
    const result = this.#schema?.["~standard"].validate(value);
    if (!(result instanceof Promise)) return this.#encoded(value, result);
    return result.then((settled) => this.#encoded(value, settled));
  }

  /** @throws MessError INVALID_PAYLOAD, BAD_SIGNATURE */
  async decode(message: SignedContent): Promise<unknown> {
    await this.#verify?.(message);
    let value: unknown;
    try {
      value = this.codec.decode(message.payload);
    } catch (cause) {
      throw invalid(`the payload cannot be decoded: ${messageOf(cause)}`, cause);
    }
    if (this.#schema === undefined) return value;
    let result: SchemaResult<unknown>;
    try {
      result = await this.#schema["~standard"].validate(value);
    } catch (cause) {
      throw invalid(`the schema failed: ${messageOf(cause)}`, cause);
    }
    if (result.issues === undefined) return result.value;
    throw invalid(`the payload does not satisfy its schema: ${describeIssues(result.issues)}`, result.issues);
  }

  #encoded(value: unknown, result: SchemaResult<unknown> | undefined): Uint8Array {
    if (result?.issues !== undefined) {
      throw invalid(`the value does not satisfy its schema: ${describeIssues(result.issues)}`, result.issues);
    }
    try {
      return this.codec.encode(value);
    } catch (cause) {
      throw invalid(`the value cannot be encoded: ${messageOf(cause)}`, cause);
    }
  }
}

function invalid(message: string, cause: unknown): MessError {
  return new MessError("INVALID_PAYLOAD", message, { cause });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
