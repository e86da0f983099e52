/** Keywords that look at a value by themselves. Each gives a test, or throws `SchemaProblem`. */
import { formatCheck, formatNames } from "./formats.ts";
import { PatternProblem } from "./parse-pattern.ts";
import { Pattern } from "./pattern.ts";
import { canonicalText } from "./same-value.ts";
import { SchemaProblem } from "./schema-problem.ts";
import { fault, isObject, type JsonObject, type ValueTest } from "./value-test.ts";
import { WorkBudget } from "./work-budget.ts";

type KeywordReader = (operand: unknown, pointer: string) => ValueTest;

const typeNames = ["null", "boolean", "object", "array", "number", "string", "integer"] as const;
type TypeName = (typeof typeNames)[number];

/** Schemas are bounded in size and depth; this only has to end. */
const schemaBudget = { steps: 1_000_000, depth: 100 } as const;

const readers: ReadonlyMap<string, KeywordReader> = new Map([
  ["type", typeTest],
  ["enum", enumTest],
  ["const", (operand: unknown) => constTest([operand], "must be the constant of the schema")],
  ["multipleOf", multipleTest],
  ["maximum", numberTest((value, bound) => value <= bound, "must be at most")],
  ["exclusiveMaximum", numberTest((value, bound) => value < bound, "must be less than")],
  ["minimum", numberTest((value, bound) => value >= bound, "must be at least")],
  ["exclusiveMinimum", numberTest((value, bound) => value > bound, "must be more than")],
  ["maxLength", lengthTest((length, bound) => length <= bound, "must have at most")],
  ["minLength", lengthTest((length, bound) => length >= bound, "must have at least")],
  ["pattern", patternTest],
  ["format", formatTest],
  ["maxItems", itemsTest((length, bound) => length <= bound, "must have at most")],
  ["minItems", itemsTest((length, bound) => length >= bound, "must have at least")],
  ["uniqueItems", uniqueTest],
  ["maxProperties", propertiesTest((count, bound) => count <= bound, "must have at most")],
  ["minProperties", propertiesTest((count, bound) => count >= bound, "must have at least")],
  ["required", requiredTest],
  ["dependentRequired", dependentRequiredTest],
]);

/** Tests of all plain keywords of a part; `type` first, so that a value of a wrong type is told so. */
export function plainTests(schema: JsonObject, pointer: string): ValueTest[] {
  const tests: ValueTest[] = [];
  for (const [keyword, read] of readers) {
    if (Object.hasOwn(schema, keyword)) tests.push(read(schema[keyword], `${pointer}/${keyword}`));
  }
  return tests;
}

export function compilePattern(operand: unknown, pointer: string): Pattern {
  if (typeof operand !== "string") throw new SchemaProblem(pointer, "is a text");
  try {
    return new Pattern(operand);
  } catch (error) {
    if (error instanceof PatternProblem) throw new SchemaProblem(pointer, `the pattern ${error.message}`);
    throw error;
  }
}

export function countOf(operand: unknown, pointer: string): number {
  if (typeof operand === "number" && Number.isSafeInteger(operand) && operand >= 0) return operand;
  throw new SchemaProblem(pointer, "is a whole number, not negative");
}

function typeTest(operand: unknown, pointer: string): ValueTest {
  const list: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const types = list.map((name) => {
    const known = typeNames.find((each) => each === name);
    if (known === undefined) throw new SchemaProblem(pointer, `is one or more of ${typeNames.join(", ")}`);
    return known;
  });
  if (types.length === 0) throw new SchemaProblem(pointer, "names at least one type");
  const message = `must be ${types.join(" or ")}`;
  return (value, place) => (types.some((type) => isOfType(value, type)) ? undefined : fault(place, message));
}

function isOfType(value: unknown, type: TypeName): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function enumTest(operand: unknown, pointer: string): ValueTest {
  if (!Array.isArray(operand) || operand.length === 0) throw new SchemaProblem(pointer, "is a list of values");
  return constTest(operand, "must be one of the values of the schema");
}

function constTest(wanted: readonly unknown[], message: string): ValueTest {
  const budget = new WorkBudget(schemaBudget.steps, schemaBudget.depth);
  const texts = new Set(wanted.map((value) => canonicalText(value, budget)));
  return (value, place, { budget: paying }) =>
    texts.has(canonicalText(value, paying)) ? undefined : fault(place, message);
}

function numberTest(holds: (value: number, bound: number) => boolean, words: string): KeywordReader {
  return (operand, pointer) => {
    if (typeof operand !== "number") throw new SchemaProblem(pointer, "is a number");
    const message = `${words} ${operand}`;
    return (value, place) => (typeof value !== "number" || holds(value, operand) ? undefined : fault(place, message));
  };
}

function multipleTest(operand: unknown, pointer: string): ValueTest {
  if (typeof operand !== "number" || operand <= 0) throw new SchemaProblem(pointer, "is a number above 0");
  const step = decimal(operand);
  const message = `must be a multiple of ${operand}`;
  return (value, place, { budget }) => {
    if (typeof value !== "number") return undefined;
    if (Number.isSafeInteger(value) && Number.isSafeInteger(operand)) {
      return value % operand === 0 ? undefined : fault(place, message);
    }
    // Numbers of hundreds of digits, where the exponents are far apart.
    budget.spend(50);
    const number = decimal(value);
    const exponent = Math.min(number.exponent, step.exponent);
    const scaled = (of: Decimal): bigint => of.digits * 10n ** BigInt(of.exponent - exponent);
    return scaled(number) % scaled(step) === 0n ? undefined : fault(place, message);
  };
}

interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** As the shortest decimal text that means the number: 0.3 is a multiple of 0.1, whatever their binary fractions. */
function decimal(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

function lengthTest(holds: (length: number, bound: number) => boolean, words: string): KeywordReader {
  return (operand, pointer) => {
    const bound = countOf(operand, pointer);
    const message = `${words} ${bound} characters`;
    return (value, place, { budget }) => {
      if (typeof value !== "string") return undefined;
      budget.spend(value.length >>> 3);
      return holds(codePoints(value), bound) ? undefined : fault(place, message);
    };
  };
}

function codePoints(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // The second half of a pair counts with the first.
    const isPair = unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at++;
    count++;
  }
  return count;
}

function patternTest(operand: unknown, pointer: string): ValueTest {
  const pattern = compilePattern(operand, pointer);
  return (value, place, { budget }) =>
    typeof value !== "string" || pattern.isIn(value, budget)
      ? undefined
      : fault(place, "must match the pattern of the schema");
}

function formatTest(operand: unknown, pointer: string): ValueTest {
  const check = typeof operand === "string" ? formatCheck(operand) : undefined;
  if (check === undefined) throw new SchemaProblem(pointer, `is one of ${formatNames.join(", ")}`);
  const message = `must be a ${String(operand)}`;
  return (value, place, { budget }) => {
    if (typeof value !== "string") return undefined;
    budget.spend(value.length);
    return check(value) ? undefined : fault(place, message);
  };
}

function itemsTest(holds: (length: number, bound: number) => boolean, words: string): KeywordReader {
  return (operand, pointer) => {
    const bound = countOf(operand, pointer);
    const message = `${words} ${bound} items`;
    return (value, place) => (!Array.isArray(value) || holds(value.length, bound) ? undefined : fault(place, message));
  };
}

function uniqueTest(operand: unknown, pointer: string): ValueTest {
  if (typeof operand !== "boolean") throw new SchemaProblem(pointer, "is true or false");
  return (value, place, { budget }) => {
    if (!operand || !Array.isArray(value)) return undefined;
    const texts = new Set<string>();
    budget.spend(2 * value.length);
    for (const item of value) texts.add(canonicalText(item, budget));
    return texts.size === value.length ? undefined : fault(place, "must have no item twice");
  };
}

function propertiesTest(holds: (count: number, bound: number) => boolean, words: string): KeywordReader {
  return (operand, pointer) => {
    const bound = countOf(operand, pointer);
    const message = `${words} ${bound} properties`;
    return (value, place, { budget }) => {
      if (!isObject(value)) return undefined;
      const count = Object.keys(value).length;
      budget.spend(count >>> 3);
      return holds(count, bound) ? undefined : fault(place, message);
    };
  };
}

function requiredTest(operand: unknown, pointer: string): ValueTest {
  const names = namesOf(operand, pointer);
  return (value, place, { budget }) => {
    if (!isObject(value)) return undefined;
    budget.spend(names.length);
    const missing = names.find((name) => !Object.hasOwn(value, name));
    return missing === undefined ? undefined : fault(place, `must have the property ${shown(missing)}`);
  };
}

function dependentRequiredTest(operand: unknown, pointer: string): ValueTest {
  if (!isObject(operand)) throw new SchemaProblem(pointer, "is an object of lists of names");
  const tests = Object.entries(operand).map(([name, needed]): readonly [string, ValueTest] => [
    name,
    requiredTest(needed, pointer),
  ]);
  return (value, place, run) => {
    if (!isObject(value)) return undefined;
    for (const [name, test] of tests) {
      const found = Object.hasOwn(value, name) ? test(value, place, run) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function namesOf(operand: unknown, pointer: string): readonly string[] {
  if (Array.isArray(operand) && operand.every((name) => typeof name === "string")) return operand;
  throw new SchemaProblem(pointer, "is a list of names");
}

export function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
