/** Finds the parts of a schema, gives each its place, and resolves references between them: within the document alone. */
import { nearestName } from "../model/nearest-name.ts";
import { SchemaProblem } from "./schema-problem.ts";
import { escapePointer, isObject, type JsonObject, type ValueTest } from "./value-test.ts";

const partsMax = 2_000;
const depthMax = 64;
const dialect = "https://json-schema.org/draft/2020-12/schema";

/** Keywords by what they hold: one schema, a list of them, a table of them. */
const oneSchema = [
  "not",
  "if",
  "then",
  "else",
  "items",
  "contains",
  "additionalProperties",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
] as const;
const schemaLists = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const schemaTables = ["$defs", "definitions", "properties", "patternProperties", "dependentSchemas"] as const;
const values = [
  "$ref",
  "$anchor",
  "type",
  "enum",
  "const",
  "multipleOf",
  "maximum",
  "exclusiveMaximum",
  "minimum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "pattern",
  "format",
  "maxItems",
  "minItems",
  "uniqueItems",
  "maxContains",
  "minContains",
  "maxProperties",
  "minProperties",
  "required",
  "dependentRequired",
] as const;
/** They mean nothing to a check. */
const notes = [
  "$schema",
  "$id",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
] as const;
const known: ReadonlySet<string> = new Set([...oneSchema, ...schemaLists, ...schemaTables, ...values, ...notes]);
/** Those that test the same value: a circle of them alone never ends. */
const inPlace: ReadonlySet<string> = new Set([
  "not",
  "if",
  "then",
  "else",
  "allOf",
  "anyOf",
  "oneOf",
  "dependentSchemas",
]);

/** A part of the schema. */
export interface SchemaPart {
  readonly pointer: string;
  readonly schema: boolean | JsonObject;
  /** Parts that test the same value as this one. */
  readonly inPlace: SchemaPart[];
  /** Set once all parts are known. */
  test: ValueTest | undefined;
}

export class SchemaReader {
  /** In the order of reading; the first is the whole. */
  readonly parts: SchemaPart[] = [];
  readonly #byPointer: Map<string, SchemaPart> = new Map();
  readonly #byAnchor: Map<string, SchemaPart> = new Map();
  readonly #id: string;
  /** Some part asks for what no other one looked at. */
  tracksSeen = false;

  /** Throws `SchemaProblem`. */
  constructor(schema: unknown) {
    const id = isObject(schema) ? schema["$id"] : undefined;
    this.#id = typeof id === "string" ? id.replace(/#$/, "") : "";
    this.#read(schema, "", 0);
    for (const part of this.parts) {
      if (isObject(part.schema) && Object.hasOwn(part.schema, "$ref")) part.inPlace.push(this.referred(part));
    }
    this.#refuseCircles();
  }

  part(pointer: string): SchemaPart {
    return this.#byPointer.get(pointer) as SchemaPart;
  }

  /** What `$ref` names. Nothing outside of the document is ever fetched. */
  referred({ pointer, schema }: SchemaPart): SchemaPart {
    const place = `${pointer}/$ref`;
    const reference = (schema as JsonObject)["$ref"];
    if (typeof reference !== "string") throw new SchemaProblem(place, "is a text");
    const hash = reference.indexOf("#");
    const base = hash < 0 ? reference : reference.slice(0, hash);
    if (base !== "" && base !== this.#id) {
      throw new SchemaProblem(place, "refers outside of the schema; nothing is fetched: put it under `$defs`");
    }
    const fragment = decoded(hash < 0 ? "" : reference.slice(hash + 1));
    const found =
      fragment === "" || fragment.startsWith("/") ? this.#byPointer.get(fragment) : this.#byAnchor.get(fragment);
    if (found === undefined) throw new SchemaProblem(place, "refers to no part of the schema");
    return found;
  }

  #read(schema: unknown, pointer: string, depth: number): SchemaPart {
    if (typeof schema !== "boolean" && !isObject(schema))
      throw new SchemaProblem(pointer, "is an object, true or false");
    if (this.parts.length >= partsMax) throw new SchemaProblem(pointer, `is one of more than ${partsMax} parts`);
    if (depth > depthMax) throw new SchemaProblem(pointer.slice(0, 100), `is nested more than ${depthMax} deep`);
    const part: SchemaPart = { pointer, schema, inPlace: [], test: undefined };
    this.parts.push(part);
    this.#byPointer.set(pointer, part);
    if (isObject(schema)) this.#readKeywords(part, schema, depth);
    return part;
  }

  #readKeywords(part: SchemaPart, schema: JsonObject, depth: number): void {
    const { pointer } = part;
    this.#checkNames(pointer, schema);
    const child = (keyword: string, value: unknown, place: string): void => {
      const found = this.#read(value, place, depth + 1);
      if (inPlace.has(keyword)) part.inPlace.push(found);
    };
    for (const keyword of oneSchema) {
      if (Object.hasOwn(schema, keyword)) child(keyword, schema[keyword], `${pointer}/${keyword}`);
    }
    for (const keyword of schemaLists) {
      if (!Object.hasOwn(schema, keyword)) continue;
      const list = schema[keyword];
      const place = `${pointer}/${keyword}`;
      if (!Array.isArray(list) || list.length === 0) throw new SchemaProblem(place, "is a list of one or more schemas");
      for (const [index, item] of list.entries()) child(keyword, item, `${place}/${index}`);
    }
    for (const keyword of schemaTables) {
      if (!Object.hasOwn(schema, keyword)) continue;
      const table = schema[keyword];
      const place = `${pointer}/${keyword}`;
      if (!isObject(table)) throw new SchemaProblem(place, "is an object of schemas");
      for (const [name, item] of Object.entries(table)) child(keyword, item, `${place}/${escapePointer(name)}`);
    }
    const anchor = schema["$anchor"];
    if (anchor === undefined) return;
    const isAnchor = typeof anchor === "string" && /^[A-Za-z_][-A-Za-z0-9._]*$/.test(anchor);
    if (!isAnchor || this.#byAnchor.has(anchor)) throw new SchemaProblem(`${pointer}/$anchor`, "is a name, used once");
    this.#byAnchor.set(anchor, part);
  }

  /** A keyword that nothing enforces would look as if it were: typing errors and other drafts are refused. */
  #checkNames(pointer: string, schema: JsonObject): void {
    for (const name of Object.keys(schema)) {
      if (known.has(name) || name.startsWith("x-")) continue;
      if (name === "$dynamicRef" || name === "$dynamicAnchor" || name === "$recursiveRef") {
        throw new SchemaProblem(pointer, `${name} is not supported: use $ref`);
      }
      const nearest = nearestName(name, known);
      const hint = nearest === undefined ? "notes of your own begin with `x-`" : `did you mean \`${nearest}\`?`;
      throw new SchemaProblem(pointer, `${JSON.stringify(name.slice(0, 80))} is no keyword of draft 2020-12; ${hint}`);
    }
    const draft = schema["$schema"];
    if (draft !== undefined && (typeof draft !== "string" || draft.replace(/#$/, "") !== dialect)) {
      throw new SchemaProblem(`${pointer}/$schema`, `is ${JSON.stringify(dialect)}: other drafts are not supported`);
    }
    if (pointer !== "" && Object.hasOwn(schema, "$id")) {
      throw new SchemaProblem(`${pointer}/$id`, "is only for the whole; name a part with $anchor");
    }
    this.tracksSeen ||= Object.hasOwn(schema, "unevaluatedItems") || Object.hasOwn(schema, "unevaluatedProperties");
  }

  /** Depth first. A part that is met again while it is open tests one value for ever. */
  #refuseCircles(): void {
    const done = new Set<SchemaPart>();
    const open = new Set<SchemaPart>();
    const visit = (part: SchemaPart): void => {
      if (done.has(part)) return;
      if (open.has(part)) throw new SchemaProblem(part.pointer, "refers to itself without going deeper into the value");
      open.add(part);
      for (const next of part.inPlace) visit(next);
      open.delete(part);
      done.add(part);
    };
    for (const part of this.parts) visit(part);
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return "/%";
  }
}
