/** What the core asks about bytes it does not understand (model/message-checks.ts). */
import { readProperties } from "@mess/wire";
import type { HeaderReader, SchemaCompiler } from "./model/message-checks.ts";
import { compileSchema } from "./schema/compile-schema.ts";

/** Headers are the properties of MQTT 5.0 that travel on, in wire form. */
export const headerReader: HeaderReader = {
  userProperty: ({ bytes, headerStart, headerEnd }, name) =>
    readProperties(bytes, headerStart, headerEnd)?.userProperties?.find(([known]) => known === name)?.[1],
};

/** Payloads that a schema is declared for are JSON. */
export const schemaCompiler: SchemaCompiler = { compile: compileSchema };
