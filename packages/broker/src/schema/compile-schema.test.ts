import { describe, expect, it } from "vitest";
import type { JsonSchema } from "../model/settings.ts";
import { compileSchema } from "./compile-schema.ts";

function problemOf(schema: unknown): string | undefined {
  const compiled = compileSchema(schema as JsonSchema);
  return typeof compiled === "function" ? undefined : compiled.problem;
}

/** `undefined` when the text satisfies the schema; else path and message in one. */
function faultOf(schema: unknown, text: string): string | undefined {
  const compiled = compileSchema(schema as JsonSchema);
  if (typeof compiled !== "function") throw new Error(compiled.problem);
  const found = compiled(Buffer.from(text));
  return found && `${found.path}: ${found.message}`;
}

const order = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "order",
  type: "object",
  required: ["id", "lines"],
  additionalProperties: false,
  properties: {
    id: { type: "string", format: "uuid" },
    lines: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["sku"],
        properties: {
          sku: { type: "string", pattern: "^[A-Z]{2}-\\d+$" },
          price: { type: "number", multipleOf: 0.01 },
        },
      },
    },
  },
};

describe("compileSchema", () => {
  it("says where a payload is wrong, and how", () => {
    const id = "0190a1b2-0000-7000-8000-000000000000";
    const json = (value: unknown): string => JSON.stringify(value);
    expect(faultOf(order, json({ id, lines: [{ sku: "AB-1", price: 19.99 }] }))).toBeUndefined();
    expect(faultOf(order, json({ id, lines: [{ sku: "AB-1" }, { sku: "AB1" }] }))).toBe(
      "/lines/1/sku: must match the pattern of the schema",
    );
    expect(faultOf(order, json({ id, lines: [{ price: 1 }] }))).toBe('/lines/0: must have the property "sku"');
    expect(faultOf(order, json({ id, lines: [{ sku: "AB-1", price: 0.001 }] }))).toBe(
      "/lines/0/price: must be a multiple of 0.01",
    );
    expect(faultOf(order, json({ id, lines: [] }))).toBe("/lines: must have at least 1 items");
    expect(faultOf(order, json({ id: "x", lines: [{ sku: "AB-1" }] }))).toBe("/id: must be a uuid");
    expect(faultOf(order, json({ id, lines: [{ sku: "AB-1" }], "a/b": 1 }))).toBe(': must not have the property "a/b"');
    expect(faultOf(order, "[]")).toBe(": must be object");
    expect(faultOf({ properties: { "a/b~": false } }, '{"a/b~":1}')).toBe(': must not have the property "a/b~"');
    expect(faultOf({ properties: { "a/b~": { const: 1 } } }, '{"a/b~":2}')).toBe(
      "/a~1b~0: must be the constant of the schema",
    );
  });

  it.each(["", "{", "\ufeff{}", "nul", "'a'"])("refuses %j, which is no JSON", (text) => {
    expect(faultOf({ type: "object" }, text)).toBe(": must be JSON in UTF-8");
  });

  it("refuses what is no UTF-8", () => {
    const check = compileSchema(true);
    if (typeof check !== "function") throw new Error("refused");
    expect(check(Buffer.from([0x22, 0xff, 0x22]))).toEqual({ path: "", message: "must be JSON in UTF-8" });
  });

  it.each<[unknown, readonly string[], readonly string[]]>([
    [true, ["1", "null"], []],
    [false, [], ["1", "null"]],
    [{}, ["1"], []],
    [{ type: "integer" }, ["1", "1.0", "-3", "1e3"], ["1.5", '"1"', "null", "[]"]],
    [{ type: ["null", "boolean"] }, ["null", "true"], ["0", '""', "{}"]],
    [{ type: "number" }, ["1.5"], ['"1"']],
    [{ enum: [1, "a", null, [1, { a: 1, b: 2 }]] }, ["1.0", '"a"', "null", '[1,{"b":2,"a":1}]'], ["2", "[1]", "false"]],
    [{ const: { a: [1, 2] } }, ['{"a":[1,2]}'], ['{"a":[2,1]}', "1"]],
    [{ const: 0 }, ["0", "-0", "0.0"], ["false", '""']],
    [{ multipleOf: 0.0001 }, ["0.0075", "1e10", '"x"'], ["0.00751"]],
    [{ multipleOf: 1e-300 }, ["1"], []],
    [{ minimum: 1, exclusiveMaximum: 2 }, ["1", "1.99", '"x"'], ["0.99", "2"]],
    [{ exclusiveMinimum: 1, maximum: 2 }, ["2"], ["1", "2.01"]],
    [{ minLength: 2, maxLength: 3 }, ['"ab"', '"😀😀😀"', "1"], ['"a"', '"abcd"', '"😀"']],
    [{ pattern: "b+" }, ['"abc"', "1"], ['"ac"']],
    [{ minItems: 1, maxItems: 2 }, ["[1]", "[1,2]", "{}"], ["[]", "[1,2,3]"]],
    [{ uniqueItems: true }, ['[1,"1",[1]]', "[]", "1"], ["[1,1.0]", '[{"a":1,"b":2},{"b":2,"a":1}]']],
    [{ uniqueItems: false }, ["[1,1]"], []],
    [{ minProperties: 1, maxProperties: 1 }, ['{"a":1}', "[]"], ["{}", '{"a":1,"b":2}']],
    [{ required: ["constructor"] }, ['{"constructor":1}', "1"], ["{}", '{"toString":1}']],
    [{ dependentRequired: { a: ["b"] } }, ['{"a":1,"b":1}', '{"b":1}', "1"], ['{"a":1}']],
    [{ properties: { __proto__: { type: "string" } } }, ["{}"], []],
    [JSON.parse('{"properties":{"__proto__":{"type":"string"}}}'), ['{"__proto__":"x"}'], ['{"__proto__":1}']],
    [
      { patternProperties: { "^x-": { type: "number" } }, additionalProperties: false },
      ['{"x-a":1}'],
      ['{"x-a":"a"}', '{"y":1}'],
    ],
    [{ properties: { a: true }, patternProperties: { a: false } }, ['{"b":1}'], ['{"a":1}']],
    [{ additionalProperties: { type: "null" } }, ['{"a":null}', "1"], ['{"a":1}']],
    [{ propertyNames: { maxLength: 2 } }, ['{"ab":1}', "1"], ['{"abc":1}']],
    [{ prefixItems: [{ type: "number" }], items: { type: "string" } }, ["[]", '[1,"a"]'], ['["a"]', "[1,2]"]],
    [{ prefixItems: [true], items: false }, ["[1]"], ["[1,2]"]],
    [{ contains: { type: "number" } }, ['["a",1]', "1"], ["[]", '["a"]']],
    [{ contains: { const: 1 }, minContains: 2, maxContains: 3 }, ["[1,1]", "[1,1,1,2]"], ["[1]", "[1,1,1,1]"]],
    [{ contains: true, minContains: 0 }, ["[]"], []],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, ["1"], ["0", "3"]],
    [{ anyOf: [{ minimum: 5 }, { type: "string" }] }, ["5", '"a"'], ["4"]],
    [{ oneOf: [{ minimum: 1 }, { maximum: 2 }] }, ["0", "3"], ["1", "2"]],
    [{ not: { type: "string" } }, ["1"], ['"a"']],
    [JSON.parse('{"if":{"minimum":10},"then":{"multipleOf":10},"else":{"multipleOf":2}}'), ["20", "2"], ["12", "3"]],
    [JSON.parse('{"if":false,"then":false}'), ["1"], []],
    [{ dependentSchemas: { a: { required: ["b"] } } }, ['{"a":1,"b":2}', "{}", "1"], ['{"a":1}']],
    [{ $defs: { n: { type: "number" } }, items: { $ref: "#/$defs/n" } }, ["[1]"], ['["a"]']],
    [{ definitions: { "a b%": { $anchor: "n", type: "number" } }, $ref: "#n" }, ["1"], ['"a"']],
    [{ definitions: { "a b%": { type: "number" } }, $ref: "#/definitions/a%20b%25" }, ["1"], ['"a"']],
    [{ $id: "https://x.test/s", $ref: "https://x.test/s#/$defs/n", $defs: { n: { type: "number" } } }, ["1"], ["null"]],
    [{ type: "object", properties: { next: { $ref: "#" } } }, ['{"next":{"next":{}}}'], ['{"next":{"next":1}}']],
    [
      { allOf: [{ properties: { a: true } }], properties: { b: true }, unevaluatedProperties: false },
      ['{"a":1,"b":1}'],
      ['{"c":1}'],
    ],
    [
      { anyOf: [{ properties: { a: { const: 1 } } }, { properties: { b: true } }], unevaluatedProperties: false },
      ['{"a":1,"b":1}', '{"b":1}'],
      ['{"a":2,"b":1}', '{"c":1}'],
    ],
    [{ not: { properties: { a: false } }, unevaluatedProperties: false }, [], ['{"a":1}', "{}"]],
    [
      {
        if: { required: ["a"], properties: { a: true } },
        else: { properties: { b: true } },
        unevaluatedProperties: false,
      },
      ['{"a":1}', '{"b":1}'],
      ['{"a":1,"b":1}'],
    ],
    [
      { properties: { a: { properties: { x: true }, unevaluatedProperties: false } } },
      ['{"a":{"x":1},"b":1}'],
      ['{"a":{"y":1}}'],
    ],
    [
      { $ref: "#/$defs/a", $defs: { a: { properties: { a: true } } }, unevaluatedProperties: { type: "null" } },
      ['{"a":1,"b":null}'],
      ['{"b":1}'],
    ],
    [{ prefixItems: [true], contains: { type: "string" }, unevaluatedItems: false }, ['[1,"a"]'], ['[1,"a",2]']],
    [{ allOf: [{ items: true }], unevaluatedItems: false }, ["[1,2]"], []],
    [{ format: "date-time" }, ['"2030-01-31T12:00:00Z"', "1"], ['"2030-02-30T12:00:00Z"']],
    [{ format: "date" }, ['"2030-01-31"'], ['"2030-02-30"', '"2030-1-1"']],
    [{ format: "time" }, ['"12:00:00+01:00"'], ['"12:00"']],
    [{ format: "duration" }, ['"P1DT2H"', '"P2W"'], ['"P"', '"PT"', '"1D"']],
    [{ format: "email" }, ['"a.b@c-d.org"'], ['"a@"', '"a b@c.d"', '".a@b.c"']],
    [{ format: "hostname" }, ['"a-b.example"'], ['"-a"', '"a..b"', '"a_b"']],
    [{ format: "ipv4" }, ['"127.0.0.1"'], ['"256.0.0.1"', '"01.0.0.1"', '"1.2.3"']],
    [
      { format: "ipv6" },
      ['"::1"', '"2001:db8::1"', '"::ffff:1.2.3.4"', '"1:2:3:4:5:6:7:8"'],
      ['"1::2::3"', '"12345::"', '":1"', '"1:2:3:4:5:6:7:8:9"', '"::1.2.3.400"'],
    ],
    [{ format: "uri" }, ['"https://a.b/c?d#e"', '"urn:x"'], ['"a b"', '"/x"', '"http://%zz"']],
    [{ format: "uuid" }, ['"0190a1b2-0000-7000-8000-000000000000"'], ['"0190a1b2"']],
  ])("%j", (schema, yes, no) => {
    for (const text of yes) expect(faultOf(schema, text), text).toBeUndefined();
    for (const text of no) expect(faultOf(schema, text), text).toBeDefined();
  });

  it.each<[unknown, RegExp]>([
    [{ requird: ["a"] }, /"requird" is no keyword.*did you mean `required`/],
    [{ properties: { a: { foo: 1 } } }, /^#\/properties\/a: "foo" is no keyword/],
    [{ dependencies: {} }, /no keyword/],
    [{ items: [true] }, /^#\/items: is an object, true or false/],
    [{ $schema: "http://json-schema.org/draft-07/schema#" }, /other drafts/],
    [{ $ref: "https://example.test/schema" }, /nothing is fetched/],
    [{ $ref: "other.json#/a" }, /nothing is fetched/],
    [{ $ref: "//169.254.169.254/x" }, /nothing is fetched/],
    [{ $ref: "file:///etc/passwd" }, /nothing is fetched/],
    [{ $id: "https://x.test/s", $ref: "https://x.test/t" }, /nothing is fetched/],
    [{ properties: { a: { $id: "https://x.test/s" } } }, /only for the whole/],
    [{ $dynamicRef: "#a" }, /use \$ref/],
    [{ $ref: "#/$defs/a" }, /no part of the schema/],
    [{ $ref: "#/properties", properties: {} }, /no part of the schema/],
    [{ $ref: "#/%zz" }, /no part of the schema/],
    [{ $ref: "#a" }, /no part of the schema/],
    [{ $ref: 1 }, /is a text/],
    [{ $ref: "#" }, /refers to itself/],
    [{ allOf: [{ $ref: "#" }] }, /refers to itself/],
    [
      { $ref: "#/$defs/a", $defs: { a: { not: { $ref: "#/$defs/b" } }, b: { anyOf: [true, { $ref: "#/$defs/a" }] } } },
      /refers to itself/,
    ],
    [{ $defs: { a: { if: { $ref: "#/$defs/a" } } } }, /refers to itself/],
    [{ $defs: { a: { dependentSchemas: { x: { $ref: "#/$defs/a" } } } } }, /refers to itself/],
    [{ $defs: { a: { $anchor: "x" }, b: { $anchor: "x" } } }, /used once/],
    [{ $anchor: "1" }, /a name/],
    [{ type: "strin" }, /is one or more of/],
    [{ type: [] }, /at least one type/],
    [{ enum: [] }, /list of values/],
    [{ enum: 1 }, /list of values/],
    [{ multipleOf: 0 }, /above 0/],
    [{ minimum: "1" }, /a number/],
    [{ minLength: -1 }, /not negative/],
    [{ maxItems: 1.5 }, /not negative/],
    [{ contains: true, minContains: "1" }, /not negative/],
    [{ uniqueItems: 1 }, /true or false/],
    [{ required: "a" }, /list of names/],
    [{ required: [1] }, /list of names/],
    [{ dependentRequired: [] }, /lists of names/],
    [{ allOf: [] }, /one or more/],
    [{ anyOf: {} }, /one or more/],
    [{ properties: [] }, /object of schemas/],
    [{ properties: { a: 1 } }, /^#\/properties\/a: is an object, true or false/],
    [{ format: "iban" }, /is one of date-time/],
    [{ pattern: "(a" }, /nothing closes/],
    [{ pattern: "(?=a)" }, /not supported/],
    [{ pattern: 1 }, /is a text/],
    [{ patternProperties: { "(": true } }, /nothing closes/],
    [null, /an object/],
    ["true", /an object/],
    [[], /an object/],
  ])("refuses the schema %j", (schema, text) => {
    expect(problemOf(schema)).toMatch(text);
  });

  it("takes notes, also ones of one's own", () => {
    const notes = {
      $comment: "c",
      title: "t",
      description: "d",
      default: 1,
      examples: [1],
      deprecated: true,
      "x-a": 1,
    };
    expect(faultOf({ ...notes, readOnly: true, writeOnly: true, contentMediaType: "text/plain" }, "1")).toBeUndefined();
  });
});

describe("a hostile schema", () => {
  const within = <T>(milliseconds: number, act: () => T): T => {
    const started = performance.now();
    const result = act();
    expect(performance.now() - started).toBeLessThan(milliseconds);
    return result;
  };
  const tooMuch = ": must be simpler: checking it against the schema costs too much";

  it("that doubles at each step is given up, and counts as not satisfied", () => {
    const $defs: Record<string, unknown> = { d0: { type: "string" } };
    for (let level = 1; level <= 40; level++) {
      const below = { $ref: `#/$defs/d${level - 1}` };
      $defs[`d${level}`] = { anyOf: [{ allOf: [below, false] }, below] };
    }
    const schema = { $defs, $ref: "#/$defs/d40" };
    expect(within(2_000, () => faultOf(schema, "1"))).toBe(tooMuch);
    // What is given up is not satisfied by being excluded either.
    expect(
      within(2_000, () =>
        faultOf({ ...schema, $ref: "#/$defs/n", $defs: { ...$defs, n: { not: { $ref: "#/$defs/d40" } } } }, "1"),
      ),
    ).toBe(tooMuch);
  });

  it("with a pattern that backtracking engines choke on is answered", () => {
    const payload = JSON.stringify("a".repeat(50_000));
    expect(within(2_000, () => faultOf({ pattern: "^(a+)+$" }, payload))).toBeUndefined();
    expect(
      within(2_000, () => faultOf({ pattern: "^(a|a?)+$" }, JSON.stringify(`${"a".repeat(10_000)}!`))),
    ).toBeDefined();
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`(a?){9}a{9}${index}$`, true]));
    expect(within(2_000, () => faultOf({ patternProperties: many }, `{${payload}:1}`))).toBe(tooMuch);
  });

  it("that is deep or large is refused", () => {
    const nested = (depth: number): unknown =>
      Array.from({ length: depth }).reduce((inner) => ({ not: inner }), {} as unknown);
    expect(problemOf(nested(64))).toBeUndefined();
    expect(problemOf(nested(65))).toMatch(/nested more than 64/);
    const wide = (parts: number): unknown => ({ anyOf: Array.from({ length: parts - 1 }, () => true) });
    expect(problemOf(wide(2_000))).toBeUndefined();
    expect(problemOf(wide(2_001))).toMatch(/more than 2000 parts/);
    const chain = (length: number): unknown => ({
      $ref: "#/$defs/d0",
      $defs: Object.fromEntries(
        Array.from({ length }, (_, index) => [
          `d${index}`,
          index === length - 1 ? {} : { $ref: `#/$defs/d${index + 1}` },
        ]),
      ),
    });
    expect(faultOf(chain(400), "1")).toBeUndefined();
    expect(faultOf(chain(1_900), "1")).toBe(tooMuch);
  });

  it("meets a hostile payload within bounds", () => {
    const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
    expect(within(2_000, () => faultOf({ type: "object" }, deep))).toBe(": must be object");
    expect(within(2_000, () => faultOf({ items: { $ref: "#" } }, deep))).toBe(tooMuch);
    expect(within(2_000, () => faultOf({ const: 1 }, deep))).toBe(tooMuch);
    expect(within(2_000, () => faultOf({ uniqueItems: true }, `[${"1,".repeat(400_000)}1]`))).toBeDefined();
    expect(within(2_000, () => faultOf({ items: { type: "number" } }, `[${"1,".repeat(400_000)}1]`))).toBeUndefined();
    const names = JSON.stringify(
      Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, index])),
    );
    expect(within(2_000, () => faultOf({ additionalProperties: { type: "number" } }, names))).toBeUndefined();
    const path = `{"${"k".repeat(5_000)}":1}`;
    const long = faultOf({ additionalProperties: { const: 2 } }, path);
    expect(long?.length).toBeLessThan(300);
    expect(long).toMatch(/^\/kkk.*…: must be the constant/);
  });
});
