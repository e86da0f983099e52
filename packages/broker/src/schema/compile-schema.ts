/**
 * JSON Schema, draft 2020-12, interpreted: a schema becomes tests once, and a payload is run through them. Both may be
 * hostile, so what a check costs is bounded, nothing is fetched, and no code is made from either.
 */
import type { PayloadCheck } from "../model/message-checks.ts";
import type { JsonSchema } from "../model/settings.ts";
import { NestedKeywords } from "./nested-keywords.ts";
import { plainTests } from "./plain-keywords.ts";
import { SchemaProblem } from "./schema-problem.ts";
import { type SchemaPart, SchemaReader } from "./schema-reader.ts";
import { fault, firstFault, pointerOf, type Run, Seen, type ValueFault, type ValueTest } from "./value-test.ts";
import { TooMuchWork, WorkBudget } from "./work-budget.ts";

/** About a tenth of a second on a slow machine. */
const stepsMax = 1_000_000;
/** Parts of the schema within one another while a value is tested; so deep a payload is no message of anybody. */
const depthMax = 500;

const tooMuch = { path: "", message: "must be simpler: checking it against the schema costs too much" } as const;

export function compileSchema(schema: JsonSchema): PayloadCheck | { readonly problem: string } {
  try {
    const reader = new SchemaReader(schema);
    for (const part of reader.parts) part.test = testOf(reader, part);
    const [whole] = reader.parts;
    return payloadCheck(whole?.test as ValueTest);
  } catch (error) {
    if (error instanceof SchemaProblem) return { problem: error.message };
    if (error instanceof TooMuchWork) return { problem: "holds values that are too large to compare with" };
    throw error;
  }
}

function testOf(reader: SchemaReader, part: SchemaPart): ValueTest {
  const { schema, pointer } = part;
  if (schema === true) return () => undefined;
  if (schema === false) return (_value, place) => fault(place, "must not be there");
  const tests = [...plainTests(schema, pointer), ...new NestedKeywords(reader, part, schema).tests()];
  if (!reader.tracksSeen) return (value, place, run) => firstFault(tests, value, place, run);
  return (value, place, run) => {
    // Below another part nobody has begun to keep what is seen.
    run.seen ??= new Seen();
    return firstFault(tests, value, place, run);
  };
}

function payloadCheck(test: ValueTest): PayloadCheck {
  return (payload) => {
    const parsed = parse(payload);
    if (parsed === undefined) return { path: "", message: "must be JSON in UTF-8" };
    const run: Run = { budget: new WorkBudget(stepsMax, depthMax), seen: undefined };
    let found: ValueFault | undefined;
    try {
      found = test(parsed.value, undefined, run);
    } catch (error) {
      if (error instanceof TooMuchWork) return tooMuch;
      throw error;
    }
    return found && { path: pointerOf(found.place), message: found.message };
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parse(payload: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(utf8.decode(payload)) };
  } catch {
    return undefined;
  }
}
