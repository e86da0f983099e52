/**
 * The sections `topics` and `subscriptions` of a policy: each that is there is the whole truth. What it says is declared,
 * one record a declaration, and what it leaves out is deleted, unless something waits in it.
 */

import type { AdministratorActs } from "./administrator-acts.ts";
import type { Machine } from "./core/machine.ts";
import { settingsOf } from "./core/queue-rules.ts";
import type { AdministrationError } from "./model/administration.ts";
import type { PolicyDocument } from "./model/policy.ts";
import type { SubscriptionSettings, TopicSettings } from "./model/settings.ts";
import { waitingIn } from "./queue-administrator.ts";
import {
  type CheckedDeclaration,
  checkSubscriptionDeclaration,
  checkTopicDeclaration,
} from "./security/declaration-check.ts";
import { compareSubscriptions, compareTopics } from "./security/declaration-diff.ts";

export interface PolicyAdministratorParts {
  readonly machine: Machine;
  readonly acts: AdministratorActs;
}

export interface PolicyRefusal {
  readonly code: AdministrationError["code"];
  readonly message: string;
}

/** What a document changes of what is declared. */
export interface DeclarationPlan {
  readonly topics: readonly (readonly [filter: string, settings: TopicSettings])[];
  readonly topicsGone: readonly string[];
  readonly subscriptions: readonly (readonly [name: string, settings: SubscriptionSettings])[];
  readonly subscriptionsGone: readonly string[];
}

type Section<T> = Readonly<Record<string, T>>;

export class PolicyAdministrator {
  readonly #machine: Machine;
  readonly #acts: AdministratorActs;

  constructor(parts: PolicyAdministratorParts) {
    this.#machine = parts.machine;
    this.#acts = parts.acts;
  }

  /** The policy in force with all that is declared, which is gathered when it is asked for: there may be very much. */
  document(): PolicyDocument {
    const { state } = this.#machine;
    const topics = (): Section<TopicSettings> =>
      Object.fromEntries([...state.topicSettings.values()].map(({ filter, settings }) => [filter, settings]));
    const subscriptions = (): Section<SubscriptionSettings> =>
      Object.fromEntries(
        [...state.queues.values()].map(({ name, rules, filters }) => [name, settingsOf(rules, filters)]),
      );
    return {
      ...state.policy,
      get topics() {
        return topics();
      },
      get subscriptions() {
        return subscriptions();
      },
    };
  }

  plan({ topics, subscriptions }: PolicyDocument): DeclarationPlan {
    const { state } = this.#machine;
    return {
      topics: Object.entries(topics ?? {}).filter(([filter, settings]) => {
        const known = state.topicSettings.get(filter);
        return known === undefined || compareTopics(known.settings, settings) !== "";
      }),
      topicsGone: missing(topics, [...state.topicSettings.values()], ({ filter }) => filter),
      subscriptions: Object.entries(subscriptions ?? {}).filter(([name, settings]) => {
        const known = state.queues.get(name);
        return known === undefined || compareSubscriptions(settingsOf(known.rules, known.filters), settings) !== "";
      }),
      subscriptionsGone: missing(subscriptions, [...state.queues.values()], ({ name }) => name),
    };
  }

  /** Why it cannot be applied now; `undefined` when it can. */
  refusal(plan: DeclarationPlan): PolicyRefusal | undefined {
    const { limits, schemas, topicSettings, queues } = this.#machine.state;
    const invalid = (section: string, name: string, problem: string): PolicyRefusal => {
      return { code: "invalid", message: `${section}.${JSON.stringify(name)}: ${problem}` };
    };
    for (const [filter, settings] of plan.topics) {
      const compiled = settings.schema === undefined ? undefined : schemas.compile(settings.schema);
      const unusable = typeof compiled === "object" ? `schema ${compiled.problem}` : undefined;
      const problem = problemOf(checkTopicDeclaration(filter, settings, limits)) ?? unusable;
      if (problem !== undefined) return invalid("topics", filter, problem);
    }
    for (const [name, settings] of plan.subscriptions) {
      const problem = problemOf(checkSubscriptionDeclaration(name, settings, limits));
      if (problem !== undefined) return invalid("subscriptions", name, problem);
    }
    const newTopics = plan.topics.filter(([filter]) => topicSettings.get(filter) === undefined).length;
    const topics = topicSettings.size + newTopics - plan.topicsGone.length;
    if (topics > limits.declaredTopicsMax) return tooMany(topics, "topics", limits.declaredTopicsMax);
    const newNames = plan.subscriptions.filter(([name]) => !queues.has(name)).length;
    const names = queues.size + newNames - plan.subscriptionsGone.length;
    if (names > limits.declaredSubscriptionsMax)
      return tooMany(names, "subscriptions", limits.declaredSubscriptionsMax);
    return this.#waiting(plan.subscriptionsGone);
  }

  /**
   * The document with those subscriptions that it leaves out although something waits in them. For a policy that nobody
   * is there to be refused: whoever may declare a subscription must not be able to keep the broker from starting.
   */
  keeping(document: PolicyDocument): { readonly document: PolicyDocument; readonly kept: readonly string[] } {
    const { queues } = this.#machine;
    const left = this.plan(document).subscriptionsGone.flatMap((name) => queues.view(name) ?? []);
    const waiting = left.filter((view) => waitingIn(view) !== "");
    const subscriptions = {
      ...document.subscriptions,
      ...Object.fromEntries(waiting.map(({ name, settings }) => [name, settings])),
    };
    const kept = waiting.map(({ name }) => name);
    return kept.length === 0 ? { document, kept } : { document: { ...document, subscriptions }, kept };
  }

  /** Where new subscriptions begin; rejects with what `refused` makes of a position that cannot be. */
  async starts(
    plan: DeclarationPlan,
    refused: (refusal: PolicyRefusal) => AdministrationError,
  ): Promise<ReadonlyMap<string, number>> {
    const starts = new Map<string, number>();
    for (const [name, { start }] of plan.subscriptions) {
      if (this.#machine.state.queues.has(name) || start === "latest") continue;
      const from = await new Promise<number>((resolve, reject) => {
        this.#machine.queues.resolve(start, (found) => {
          if (typeof found === "number") resolve(found);
          else
            reject(
              refused({ code: "invalid", message: `subscriptions.${JSON.stringify(name)}: start: ${found.problem}` }),
            );
        });
      });
      starts.set(name, from);
    }
    return starts;
  }

  /**
   * There is no `refusal`. All in one turn of the loop, so in one frame with what was written before; where that grows
   * too large for one, the rest follows in further ones, and a crash between them leaves a policy that can be applied
   * again.
   */
  async write(by: string, plan: DeclarationPlan, starts: ReadonlyMap<string, number>): Promise<void> {
    const { topics, queues, state } = this.#machine;
    for (const filter of plan.topicsGone) topics.delete(by, filter);
    for (const name of plan.subscriptionsGone) queues.delete(name, by);
    for (const [filter, settings] of plan.topics) {
      topics.declare(by, filter, settings);
      if (state.journal.overfull) await this.#acts.durable();
    }
    for (const [name, settings] of plan.subscriptions) {
      queues.declare({ name, settings, by, from: starts.get(name) ?? state.journal.lastSeq + 1 });
      if (state.journal.overfull) await this.#acts.durable();
    }
  }

  #waiting(names: readonly string[]): PolicyRefusal | undefined {
    for (const name of names) {
      const view = this.#machine.queues.view(name);
      const waiting = view === undefined ? "" : waitingIn(view);
      if (waiting === "") continue;
      const message = `${waiting} in the subscription ${JSON.stringify(name)}, which the policy leaves out`;
      return { code: "conflict", message: `${message}; keep it, or delete it first (mess subscription delete)` };
    }
    return undefined;
  }
}

/** Keys of `known` that a section does not have; none where there is no section. */
function missing<T>(section: Section<unknown> | undefined, known: readonly T[], keyOf: (entry: T) => string): string[] {
  return section === undefined ? [] : known.map(keyOf).filter((key) => !Object.hasOwn(section, key));
}

function problemOf(checked: CheckedDeclaration<unknown>): string | undefined {
  return "problem" in checked ? checked.problem : undefined;
}

function tooMany(count: number, what: string, most: number): PolicyRefusal {
  return { code: "conflict", message: `${count} ${what} would be declared; at most ${most} may be` };
}
