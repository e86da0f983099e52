import { MessError } from "../mess-error.ts";
import { checkTopic } from "../mqtt/check.ts";

type Names<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer Plain}...` ? Plain : Name) | Names<Rest>
  : never;

/** Parameters of a template: `TopicParams<"plant/{line}/temp">` is `{ line: string | number }`. */
export type TopicParams<Template extends string> = string extends Template
  ? Readonly<Record<string, string | number>>
  : { readonly [Name in Names<Template>]: string | number };

/** As `TopicParams`, as they come out of a topic name. */
export type TopicParamTexts<Template extends string> = string extends Template
  ? Readonly<Record<string, string>>
  : { readonly [Name in Names<Template>]: string };

interface Level {
  readonly text: string;
  readonly parameter: "one" | "rest" | undefined;
}

/**
 * A topic with parameters: `plant/{line}/temp`, each a whole level; a last one `{path...}` stands for one or more levels.
 * In a filter a parameter that is left out, or is `+`, is a wildcard.
 */
export class TopicTemplate {
  readonly template: string;
  readonly #levels: readonly Level[];

  /** @throws MessError INVALID_ARGUMENT */
  constructor(template: string) {
    this.template = template;
    const levels = template.split("/").map((level) => parseLevel(template, level));
    const names = levels.flatMap(({ text, parameter }) => (parameter === undefined ? [] : [text]));
    const early = levels.slice(0, -1).some(({ parameter }) => parameter === "rest");
    if (early) throw bad(template, "{…...} stands for the rest, so it comes last");
    if (new Set(names).size < names.length) throw bad(template, "a parameter appears twice");
    this.#levels = levels;
    const error = checkTopic(levels.map(({ text }) => text).join("/"));
    if (error !== undefined) throw error;
  }

  get hasParameters(): boolean {
    return this.#levels.some(({ parameter }) => parameter !== undefined);
  }

  /**
   * The topic name.
   *
   * @throws MessError INVALID_ARGUMENT when a parameter is missing, or holds what would change the topic's shape
   */
  name(params: Values): string {
    return this.#fill(params, (text) => {
      throw bad(this.template, `the parameter "${text}" is missing`);
    });
  }

  /** The topic filter. */
  filter(params: Values = {}): string {
    const named = Object.entries(params).filter(([, value]) => value !== "+" && value !== "#");
    return this.#fill(Object.fromEntries(named), (_name, wildcard) => wildcard);
  }

  /** The parameters in a topic name that the filter matches. */
  params(name: string): Readonly<Record<string, string>> {
    const values = name.split("/");
    const params: Record<string, string> = {};
    for (const [index, { text, parameter }] of this.#levels.entries()) {
      if (parameter === "one") params[text] = values[index] ?? "";
      if (parameter === "rest") params[text] = values.slice(index).join("/");
    }
    return params;
  }

  /** `free` says what stands for a parameter that has no value. */
  #fill(params: Values, free: (name: string, wildcard: string) => string): string {
    const levels = this.#levels.map(({ text, parameter }) => {
      if (parameter === undefined) return text;
      const value = Object.hasOwn(params, text) ? params[text] : undefined;
      const wildcard = parameter === "rest" ? "#" : "+";
      if (value === undefined) return free(text, wildcard);
      return levelOf(this.template, text, value, parameter);
    });
    return levels.join("/");
  }
}

type Values = Readonly<Partial<Record<string, string | number>>>;

function parseLevel(template: string, level: string): Level {
  const [, name, rest] = /^\{([A-Za-z_]\w*)(\.\.\.)?\}$/u.exec(level) ?? [];
  if (name !== undefined) {
    if (name === "__proto__") throw bad(template, `"${name}" cannot be a parameter`);
    return { text: name, parameter: rest === undefined ? "one" : "rest" };
  }
  if (!/[{}]/u.test(level)) return { text: level, parameter: undefined };
  throw bad(template, `"${level}" is neither text nor a parameter`);
}

/** A value with `/`, `+` or `#` in it would reach other topics than the template says. */
function levelOf(template: string, name: string, value: string | number, parameter: "one" | "rest"): string {
  const text = String(value);
  const forbidden = parameter === "one" ? /[/+#\0]/u : /[+#\0]/u;
  if (text !== "" && !forbidden.test(text)) return text;
  const shown = JSON.stringify(text);
  throw bad(template, text === "" ? `the parameter "${name}" is empty` : `the parameter "${name}" cannot be ${shown}`);
}

function bad(template: string, why: string): MessError {
  return new MessError("INVALID_ARGUMENT", `topic "${template}": ${why}`, {
    hint: 'a template is like "plant/{line}/temp", a parameter one whole level',
  });
}
