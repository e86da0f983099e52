/** Who may do what with what is declared: `security/ownership.ts`, asked about what is there now. */
import { settingsOf } from "./core/queue-rules.ts";
import type { State } from "./core/state.ts";
import { ownerOf } from "./model/derived-principal.ts";
import type { TopicAction } from "./model/policy.ts";
import type { SubscriptionSettings } from "./model/settings.ts";
import { authorize } from "./security/authorize.ts";
import {
  type Existing,
  grantedNames,
  isPolicyMaker,
  maySeeSubscription,
  maySeeTopic,
  type OwnedTree,
  subscriptionRefusal,
  topicRefusal,
} from "./security/ownership.ts";

export class AdministratorRights {
  readonly #state: State;
  /** `--insecure-dev`: everybody may everything. */
  readonly #isOpen: boolean;

  constructor(state: State, isOpen: boolean) {
    this.#state = state;
    this.#isOpen = isOpen;
  }

  /** The one `authorize()`. For `consume` the topic is the subscription's name. */
  may(by: string, action: TopicAction, topic: string): boolean {
    return this.#isOpen || authorize(this.#state.compiled, by, action, topic);
  }

  mayMakePolicy(by: string): boolean {
    return this.#isOpen || isPolicyMaker(this.#state.compiled, by);
  }

  maySeeTopic(by: string, tree: OwnedTree): boolean {
    return this.#isOpen || maySeeTopic(this.#state.compiled, by, tree);
  }

  maySeeSubscription(by: string, name: string): boolean {
    return this.#isOpen || maySeeSubscription(this.#state.compiled, by, name);
  }

  /** Names that `by` may see, sorted; `undefined` when they have to be asked for one by one. */
  namesOf(by: string): readonly string[] | undefined {
    if (this.mayMakePolicy(by)) return undefined;
    return grantedNames(this.#state.compiled, by)?.toSorted();
  }

  /** Why `by` may not declare or delete it; `undefined` when it may. */
  topicRefusal(by: string, filter: string, owner: string | undefined): string | undefined {
    if (this.#isOpen) return undefined;
    return topicRefusal(this.#asked(by, owner), filter, this.#existingTopic(filter));
  }

  /** Why `by` may not declare, delete or reset it; `undefined` when it may. */
  subscriptionRefusal(by: string, name: string, { owner, filters }: SubscriptionSettings): string | undefined {
    if (this.#isOpen) return undefined;
    return subscriptionRefusal({ ...this.#asked(by, owner), name, filters }, this.#existingSubscription(name));
  }

  topicOwner(by: string, filter: string, asked: string | undefined): { owner?: string } {
    return this.#owner(by, asked, this.#existingTopic(filter));
  }

  subscriptionOwner(by: string, name: string, asked: string | undefined): { owner?: string } {
    return this.#owner(by, asked, this.#existingSubscription(name));
  }

  /** A change that names no owner changes none. What is new belongs to who declares it; what a policy maker declares, to nobody. */
  #owner(by: string, asked: string | undefined, existing: Existing | undefined): { owner?: string } {
    const standard = this.mayMakePolicy(by) ? undefined : ownerOf(by);
    const owner = asked ?? (existing === undefined ? standard : existing.owner);
    return owner === undefined ? {} : { owner };
  }

  #existingTopic(filter: string): Existing | undefined {
    const known = this.#state.topicSettings.get(filter);
    return known && { owner: known.settings.owner };
  }

  #existingSubscription(name: string): Existing | undefined {
    const known = this.#state.queues.get(name);
    return known && { owner: settingsOf(known.rules, known.filters).owner };
  }

  #asked(
    by: string,
    owner: string | undefined,
  ): { compiled: State["compiled"]; by: string; owner: string | undefined; trees: Iterable<OwnedTree> } {
    return { compiled: this.#state.compiled, by, owner, trees: this.#trees() };
  }

  *#trees(): Iterable<OwnedTree> {
    for (const { filter, settings } of this.#state.topicSettings.values()) yield { filter, owner: settings.owner };
  }
}
