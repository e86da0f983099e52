/** Declared topics come, change and go. What a declaration says holds for what is published from then on. */
import { jsonBytes, RecordKind, type TopicDeclared, type TopicDeleted } from "../model/record.ts";
import type { TopicSettings } from "../model/settings.ts";
import { patternProblem } from "../model/topic-pattern.ts";
import type { Audit } from "./audit.ts";
import { keyTemplateProblem } from "./declared-topic.ts";
import type { State } from "./state.ts";

export class TopicDeclaring {
  readonly #state: State;
  readonly #audit: Audit;

  constructor(state: State, audit: Audit) {
    this.#state = state;
    this.#audit = audit;
  }

  /** Why these settings cannot be declared for the filter; `undefined` when they can. */
  problem(filter: string, settings: TopicSettings): string | undefined {
    const { limits, topicSettings, schemas } = this.#state;
    const bounds = { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax };
    const problem = patternProblem(filter, bounds);
    if (problem !== undefined) return problem;
    if (filter.startsWith("$")) return 'topics that begin with "$" are the broker\'s own';
    if (topicSettings.get(filter) === undefined && topicSettings.size >= limits.declaredTopicsMax)
      return `${limits.declaredTopicsMax} topics are declared, and no more may be`;
    const { key, schema } = settings;
    if (key !== undefined) {
      const keyProblem = keyTemplateProblem(key) ?? patternProblem(key.replace(/\{[^/]*\}/, "+"), bounds);
      if (keyProblem !== undefined) return `key: ${keyProblem}`;
    }
    if (schema === undefined) return undefined;
    if (jsonBytes(schema).length > limits.schemaBytesMax)
      return `schema: it has at most ${limits.schemaBytesMax} bytes as JSON`;
    const compiled = schemas.compile(schema);
    return typeof compiled === "function" ? undefined : `schema: ${compiled.problem}`;
  }

  /** Creates or replaces; true when it was new. There is no `problem`. The caller commits. */
  declare(by: string, filter: string, settings: TopicSettings): boolean {
    const { topicSettings, clock } = this.#state;
    const isNew = topicSettings.get(filter) === undefined;
    const declared: TopicDeclared = { filter, settings, by, at: clock.now() };
    this.#record(RecordKind.topicDeclared, declared);
    topicSettings.set(declared);
    this.#audit.act("topic.declared", { filter, by });
    return isNew;
  }

  /** False when there is none. What it kept for replay is kept no longer. The caller commits. */
  delete(by: string, filter: string): boolean {
    const { topicSettings } = this.#state;
    if (topicSettings.get(filter) === undefined) return false;
    const deleted: TopicDeleted = { filter, by };
    this.#record(RecordKind.topicDeleted, deleted);
    topicSettings.remove(filter);
    this.#audit.act("topic.deleted", { filter, by });
    return true;
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}
