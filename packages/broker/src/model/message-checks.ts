/** What the pure core needs to know of bytes it does not understand itself; the composition root provides it. */
import type { MessageView } from "./message.ts";
import type { JsonSchema } from "./settings.ts";

/** Reads the opaque headers of a message. */
export interface HeaderReader {
  /** The value of the first user property of that name. */
  userProperty(message: MessageView, name: string): string | undefined;
}

/** The fault of a payload: where (a JSON pointer, empty for the whole) and what. Undefined when there is none. */
export type PayloadCheck = (payload: Uint8Array) => { readonly path: string; readonly message: string } | undefined;

export interface SchemaCompiler {
  /** Interpreted, never compiled to code (LESSONS 38). Throws nothing: a schema that cannot be used says why. */
  compile(schema: JsonSchema): PayloadCheck | { readonly problem: string };
}
