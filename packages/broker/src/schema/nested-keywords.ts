/** Keywords that hold schemas: of parts of the value, of the same value, and of what no other one looked at. */
import { compilePattern, countOf, shown } from "./plain-keywords.ts";
import type { SchemaPart, SchemaReader } from "./schema-reader.ts";
import {
  fault,
  isObject,
  type JsonObject,
  type Place,
  type Run,
  Seen,
  type ValueFault,
  type ValueTest,
} from "./value-test.ts";

/** Tests of one part; the parts below are compiled by then or later, and looked up when they are run. */
export class NestedKeywords {
  readonly #reader: SchemaReader;
  readonly #schema: JsonObject;
  readonly #part: SchemaPart;

  constructor(reader: SchemaReader, part: SchemaPart, schema: JsonObject) {
    this.#reader = reader;
    this.#part = part;
    this.#schema = schema;
  }

  tests(): ValueTest[] {
    const tests: ValueTest[] = [];
    if (this.#has("$ref")) tests.push(inPlace(this.#reader.referred(this.#part)));
    if (this.#has("properties") || this.#has("patternProperties") || this.#has("additionalProperties")) {
      tests.push(this.#properties());
    }
    if (this.#has("propertyNames")) tests.push(propertyNames(this.#child("propertyNames")));
    if (this.#has("prefixItems") || this.#has("items")) tests.push(this.#items());
    if (this.#has("contains")) tests.push(this.#contains());
    if (this.#has("dependentSchemas")) tests.push(this.#dependentSchemas());
    if (this.#has("allOf")) tests.push(...this.#list("allOf").map(inPlace));
    if (this.#has("anyOf")) tests.push(anyOf(this.#list("anyOf")));
    if (this.#has("oneOf")) tests.push(oneOf(this.#list("oneOf")));
    if (this.#has("not")) tests.push(not(this.#child("not")));
    if (this.#has("if")) tests.push(this.#condition());
    // Last: they are about what the others left.
    if (this.#has("unevaluatedProperties")) tests.push(unevaluatedProperties(this.#child("unevaluatedProperties")));
    if (this.#has("unevaluatedItems")) tests.push(unevaluatedItems(this.#child("unevaluatedItems")));
    return tests;
  }

  #has(keyword: string): boolean {
    return Object.hasOwn(this.#schema, keyword);
  }

  #child(path: string): SchemaPart {
    return this.#reader.part(`${this.#part.pointer}/${path}`);
  }

  #list(keyword: string): SchemaPart[] {
    return (this.#schema[keyword] as unknown[]).map((_, index) => this.#child(`${keyword}/${index}`));
  }

  #table(keyword: string): [name: string, part: SchemaPart][] {
    if (!this.#has(keyword)) return [];
    const names = Object.keys(this.#schema[keyword] as JsonObject);
    return names.map((name) => [name, this.#child(`${keyword}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`)]);
  }

  #properties(): ValueTest {
    const named = new Map(this.#table("properties"));
    const patterns = this.#table("patternProperties").map(
      ([source, part]) => [compilePattern(source, `${this.#part.pointer}/patternProperties`), part] as const,
    );
    const others = this.#has("additionalProperties") ? this.#child("additionalProperties") : undefined;
    return (value, place, run) => {
      if (!isObject(value)) return undefined;
      for (const name of Object.keys(value)) {
        run.budget.spend(1);
        const parts = patterns.filter(([pattern]) => pattern.isIn(name, run.budget)).map(([, part]) => part);
        const own = named.get(name);
        if (own !== undefined) parts.push(own);
        if (parts.length === 0 && others !== undefined) parts.push(others);
        for (const part of parts) {
          const found = below(part, value[name], { above: place, key: name }, run);
          if (found !== undefined) return part.schema === false ? notAllowed(place, name) : found;
        }
        if (parts.length > 0) run.seen?.names.add(name);
      }
      return undefined;
    };
  }

  #items(): ValueTest {
    const first = this.#has("prefixItems") ? this.#list("prefixItems") : [];
    const rest = this.#has("items") ? this.#child("items") : undefined;
    return (value, place, run) => {
      if (!Array.isArray(value)) return undefined;
      const count = rest === undefined ? Math.min(first.length, value.length) : value.length;
      for (let index = 0; index < count; index++) {
        const part = first[index] ?? (rest as SchemaPart);
        const found = below(part, value[index], { above: place, key: index }, run);
        if (found !== undefined) return found;
      }
      if (run.seen !== undefined) run.seen.items = Math.max(run.seen.items, count);
      return undefined;
    };
  }

  #contains(): ValueTest {
    const part = this.#child("contains");
    const count = (keyword: string, standard: number): number =>
      this.#has(keyword) ? countOf(this.#schema[keyword], `${this.#part.pointer}/${keyword}`) : standard;
    const least = count("minContains", 1);
    const most = count("maxContains", Number.POSITIVE_INFINITY);
    return (value, place, run) => {
      if (!Array.isArray(value)) return undefined;
      let found = 0;
      for (const [index, item] of value.entries()) {
        if (below(part, item, { above: place, key: index }, run) !== undefined) continue;
        found++;
        run.seen?.contained.add(index);
      }
      if (found < least) return fault(place, `must have at least ${least} of the items that the schema wants`);
      return found > most ? fault(place, `must have at most ${most} of the items that the schema bounds`) : undefined;
    };
  }

  #dependentSchemas(): ValueTest {
    const table = this.#table("dependentSchemas").map(([name, part]) => [name, inPlace(part)] as const);
    return (value, place, run) => {
      if (!isObject(value)) return undefined;
      for (const [name, test] of table) {
        const found = Object.hasOwn(value, name) ? test(value, place, run) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    };
  }

  #condition(): ValueTest {
    const condition = inPlace(this.#child("if"));
    const nothing: ValueTest = () => undefined;
    const then = this.#has("then") ? inPlace(this.#child("then")) : nothing;
    const otherwise = this.#has("else") ? inPlace(this.#child("else")) : nothing;
    return (value, place, run) =>
      condition(value, place, run) === undefined ? then(value, place, run) : otherwise(value, place, run);
  }
}

/** Tests a part of the value: what is seen there is its own matter. */
function below(part: SchemaPart, value: unknown, place: Place, run: Run): ValueFault | undefined {
  const { seen } = run;
  run.seen = undefined;
  const found = runPart(part, value, place, run);
  run.seen = seen;
  return found;
}

/** Tests the same value: what a part that holds has seen counts for the whole. */
function inPlace(part: SchemaPart): ValueTest {
  return (value, place, run) => {
    const { seen } = run;
    if (seen === undefined) return runPart(part, value, place, run);
    const own = new Seen();
    run.seen = own;
    const found = runPart(part, value, place, run);
    run.seen = seen;
    if (found === undefined) {
      run.budget.spend(own.names.size + own.contained.size);
      seen.add(own);
    }
    return found;
  };
}

function runPart(part: SchemaPart, value: unknown, place: Place | undefined, run: Run): ValueFault | undefined {
  run.budget.enter();
  run.budget.spend(1);
  const found = (part.test as ValueTest)(value, place, run);
  run.budget.leave();
  return found;
}

function propertyNames(part: SchemaPart): ValueTest {
  return (value, place, run) => {
    if (!isObject(value)) return undefined;
    for (const name of Object.keys(value)) {
      const found = below(part, name, { above: place, key: name }, run);
      if (found !== undefined) return fault(place, `has the property ${shown(name)}, whose name ${found.message}`);
    }
    return undefined;
  };
}

function anyOf(parts: readonly SchemaPart[]): ValueTest {
  const tests = parts.map(inPlace);
  return (value, place, run) => {
    let isOne = false;
    // All of them where it matters what each has seen.
    for (const test of tests) {
      if (test(value, place, run) === undefined) isOne = true;
      if (isOne && run.seen === undefined) return undefined;
    }
    return isOne ? undefined : fault(place, `must be one of the ${tests.length} alternatives of the schema`);
  };
}

function oneOf(parts: readonly SchemaPart[]): ValueTest {
  const tests = parts.map(inPlace);
  return (value, place, run) => {
    const count = tests.filter((test) => test(value, place, run) === undefined).length;
    if (count === 1) return undefined;
    return fault(place, `must be exactly one of the ${tests.length} alternatives of the schema, and is ${count}`);
  };
}

function not(part: SchemaPart): ValueTest {
  const test = inPlace(part);
  return (value, place, run) => {
    const { seen } = run;
    run.seen = undefined;
    const found = test(value, place, run);
    run.seen = seen;
    return found === undefined ? fault(place, "must not be what the schema excludes") : undefined;
  };
}

function unevaluatedProperties(part: SchemaPart): ValueTest {
  return (value, place, run) => {
    if (!isObject(value)) return undefined;
    for (const name of Object.keys(value)) {
      if (run.seen?.names.has(name) === true) continue;
      const found = below(part, value[name], { above: place, key: name }, run);
      if (found !== undefined) return part.schema === false ? notAllowed(place, name) : found;
      run.seen?.names.add(name);
    }
    return undefined;
  };
}

function unevaluatedItems(part: SchemaPart): ValueTest {
  return (value, place, run) => {
    if (!Array.isArray(value)) return undefined;
    for (let index = run.seen?.items ?? 0; index < value.length; index++) {
      if (run.seen?.contained.has(index) === true) continue;
      const found = below(part, value[index], { above: place, key: index }, run);
      if (found !== undefined) return found;
    }
    if (run.seen !== undefined) run.seen.items = value.length;
    return undefined;
  };
}

function notAllowed(place: Place | undefined, name: string): ValueFault {
  return fault(place, `must not have the property ${shown(name)}`);
}
