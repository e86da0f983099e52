import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MetricSample } from "../model/administration.ts";
import { metricsText } from "./metrics-text.ts";

interface Parsed {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A strict reader of the exposition format, written from its description. */
function parse(text: string): { types: Map<string, string>; help: Map<string, string>; samples: Parsed[] } {
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  const samples: Parsed[] = [];
  const finished = new Set<string>();
  let current = "";
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end");
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = "", rest = ""] = comment;
      const table = kind === "HELP" ? help : types;
      if (table.has(name)) throw new Error(`second ${kind} of ${name}`);
      table.set(name, rest);
      if (name !== current) finished.add(current);
      current = name;
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a line of the format: ${JSON.stringify(line)}`);
    const [, name = "", inner = "", value = ""] = sample;
    if (name !== current || finished.has(name)) throw new Error(`${name} stands apart from its family`);
    const labels: Record<string, string> = {};
    const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
    while (pair.lastIndex < inner.length) {
      const found = pair.exec(inner);
      if (found === null) throw new Error(`not labels: ${inner}`);
      labels[found[1] as string] = (found[2] as string).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    }
    samples.push({ name, labels, value: value === "+Inf" ? Infinity : value === "-Inf" ? -Infinity : Number(value) });
  }
  return { types, help, samples };
}

const sample = fc.record({
  name: fc.constantFrom("mess_a_total", "mess_b", "mess_c_bytes"),
  help: fc.string({ unit: "grapheme" }),
  type: fc.constantFrom("counter" as const, "gauge" as const),
  value: fc.oneof(fc.double(), fc.nat(), fc.constantFrom(Infinity, -Infinity, NaN, -0)),
  labels: fc.dictionary(
    fc.constantFrom("code", "limit", "kind"),
    fc.oneof(fc.string(), fc.constantFrom('"', "\\", "\n", '\\n"')),
    {
      noNullPrototype: true,
    },
  ),
});

describe("metricsText", () => {
  it("says everything that went in, in families, whatever the labels hold", () => {
    fc.assert(
      fc.property(fc.array(sample), (samples: MetricSample[]) => {
        const parsed = parse(metricsText(samples));
        const plain = (
          list: readonly { name: string; value: number; labels?: Readonly<Record<string, string>> }[],
        ): string[] => list.map(({ name, labels, value }) => JSON.stringify([name, labels, String(value)])).sort();
        expect(plain(parsed.samples)).toEqual(plain(samples));
        expect([...parsed.types.keys()].sort()).toEqual([...new Set(samples.map(({ name }) => name))].sort());
      }),
    );
  });

  it("looks as Prometheus describes it", () => {
    const text = metricsText([
      { name: "mess_limit_hits_total", help: "Refusals\nby limit.", type: "counter", value: 3, labels: { limit: "a" } },
      { name: "mess_up", help: "Up.", type: "gauge", value: 1 },
      {
        name: "mess_limit_hits_total",
        help: "Refusals\nby limit.",
        type: "counter",
        value: 0.5,
        labels: { limit: 'b"' },
      },
    ]);
    expect(text).toBe(
      "# HELP mess_limit_hits_total Refusals\\nby limit.\n# TYPE mess_limit_hits_total counter\n" +
        'mess_limit_hits_total{limit="a"} 3\nmess_limit_hits_total{limit="b\\""} 0.5\n' +
        "# HELP mess_up Up.\n# TYPE mess_up gauge\nmess_up 1\n",
    );
  });
});
