/** One declaration of topics, ready to be applied to messages. */

import { withoutAttributes, writeAttributes } from "../model/message.ts";
import type { PayloadCheck, SchemaCompiler } from "../model/message-checks.ts";
import { Meter } from "../model/meter.ts";
import type { TopicDeclared } from "../model/record.ts";
import type { TopicSettings } from "../model/settings.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import { RetentionMarks } from "./retention-marks.ts";

export class DeclaredTopic {
  readonly filter: string;
  readonly settings: TopicSettings;
  readonly by: string;
  readonly at: number;
  readonly check: PayloadCheck | undefined;
  /** Of its rate; a new declaration begins with a whole second's worth. */
  readonly meter: Meter | undefined;
  /** Of what its retention keeps; those of the declaration that it replaced go on. */
  readonly marks: RetentionMarks;
  readonly #keyPattern: readonly string[];
  readonly #keyLevel: number;

  constructor(declared: TopicDeclared, schemas: SchemaCompiler, marks: RetentionMarks = new RetentionMarks()) {
    this.filter = declared.filter;
    this.settings = declared.settings;
    this.by = declared.by;
    this.at = declared.at;
    this.marks = marks;
    const { schema, key, rate } = declared.settings;
    const { messagesPerSecond = 0, bytesPerSecond = 0 } = rate ?? {};
    this.meter = rate === undefined ? undefined : new Meter({ messagesPerSecond, bytesPerSecond });
    this.check = schema === undefined ? undefined : checkOf(schema, schemas);
    const levels = key?.split("/") ?? [];
    this.#keyLevel = levels.findIndex(isPlaceholder);
    this.#keyPattern = levels.map((level) => (isPlaceholder(level) ? "+" : level));
  }

  /** Something has to be asked or kept of QoS 0 messages too. */
  get concernsLive(): boolean {
    const { maxMessageBytes, retention, signing } = this.settings;
    return (
      maxMessageBytes !== undefined || this.check !== undefined || retention !== undefined || signing === "required"
    );
  }

  /** The attributes that give messages of this topic their key: the level that the template names; none without it. */
  keyOf(topic: string): Uint8Array {
    if (this.#keyLevel < 0 || !patternMatches(this.#keyPattern, topic)) return withoutAttributes;
    const key = topic.split("/")[this.#keyLevel];
    return key === undefined || key === "" ? withoutAttributes : writeAttributes({ key });
  }
}

/** Why this is no template of a key; `undefined` when it is one. That it is a filter otherwise is checked elsewhere. */
export function keyTemplateProblem(template: string): string | undefined {
  const names = template.split("/").filter((level) => level.includes("{") || level.includes("}"));
  if (names.length === 1 && isPlaceholder(names[0] as string)) return undefined;
  return "a key template is a filter with one level in braces, such as `orders/{id}/#`";
}

function isPlaceholder(level: string): boolean {
  return /^\{[A-Za-z][A-Za-z0-9_-]*\}$/.test(level);
}

/** A schema that was accepted once and cannot be read any more refuses everything: what it should keep out stays out. */
function checkOf(schema: NonNullable<TopicSettings["schema"]>, schemas: SchemaCompiler): PayloadCheck {
  const compiled = schemas.compile(schema);
  if (typeof compiled === "function") return compiled;
  return () => ({ path: "", message: `the schema cannot be used: ${compiled.problem}` });
}
