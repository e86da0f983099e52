/**
 * Crypto-shredding: a domain is given to messages when they are taken, and erased when somebody asks for it. What is
 * erased is out of reach with the record that says so; its key is destroyed once that record is durable.
 */
import { readAttribute } from "../model/attributes.ts";
import { MessageView, readAttributes, writeAttributes } from "../model/message.ts";
import { type DomainsErased, type ErasureState, jsonBytes, RecordKind } from "../model/record.ts";
import type { Audit } from "./audit.ts";
import type { DomainName, ErasureDomain, ErasureSelection } from "./erasure-domains.ts";
import { earliestSeq } from "./frame-walk.ts";
import type { Outbox } from "./outbox.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

export interface ErasingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly audit: Audit;
  readonly retained: RetainedKeeper;
}

/** Numbers in one record. */
const numbersPerRecord = 4_096;
/** Domains that nothing is left of, forgotten in one go. */
const forgottenAtOnce = 1_000;

export class Erasing {
  readonly #parts: ErasingParts;
  readonly #state: State;

  constructor(parts: ErasingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** `done` when the keys are gone from the disk, with the number of domains; with `undefined` when the journal failed. */
  erase(by: string, selection: ErasureSelection, done: (erased: number | undefined) => void): void {
    const numbers = this.#state.erasure.select(selection);
    const { filter, key } = selection;
    const what = key === undefined ? { filter } : { filter, key };
    this.#parts.audit.act("erasure.erased", { ...what, domains: numbers.length, by });
    this.#remove(numbers, by);
    this.#state.journal.commit();
    this.#parts.outbox.promise((isDurable) => {
      if (isDurable) this.#destroy(numbers, () => done(numbers.length));
      else done(undefined);
    });
  }

  /** After recovery. Throws where the key of a domain is not there: that is damage, and no erasure. */
  check(): void {
    const { erasure, journal } = this.#state;
    journal.requireDomains(erasure.used());
  }

  /** What a crash kept from being destroyed. */
  begin(): void {
    this.#destroy([...this.#state.erasure.destroying], () => undefined);
  }

  /** Segments were dropped: domains of which nothing is left make room for others. */
  tidy(): void {
    const { erasure, journal } = this.#state;
    if (erasure.size === 0) return;
    const numbers = erasure.unusedBefore(earliestSeq(journal), forgottenAtOnce);
    if (numbers.length === 0) return;
    this.#remove(numbers, "");
    journal.commitWithin(100);
    this.#parts.outbox.action(() => this.#destroy(numbers, () => undefined));
  }

  /** Live and in recovery. */
  applyErased({ numbers }: DomainsErased): void {
    this.#state.erasure.remove(numbers);
    this.#parts.retained.dropErased();
  }

  #remove(numbers: readonly number[], by: string): void {
    for (let from = 0; from < numbers.length; from += numbersPerRecord) {
      const erased: DomainsErased = { numbers: numbers.slice(from, from + numbersPerRecord), by };
      writeJson(this.#state, RecordKind.domainsErased, erased);
      this.applyErased(erased);
    }
  }

  #destroy(numbers: readonly number[], done: () => void): void {
    const { erasure, journal } = this.#state;
    if (numbers.length === 0) {
      done();
      return;
    }
    journal.destroyDomains(numbers, () => {
      for (const number of numbers) erasure.destroying.delete(number);
      done();
    });
  }
}

/** What the topic and the key of a message make its domain; `undefined` where its topic asks for none. */
function domainName(state: State, topic: Topic, key: string | undefined): DomainName | undefined {
  const declared = state.topicSettings.size === 0 ? undefined : state.topicSettings.of(topic);
  const by = declared?.settings.erasure;
  if (declared === undefined || by === undefined) return undefined;
  const { filter } = declared;
  return by === "topic" ? { by, filter, name: topic.name } : { by, filter, name: key ?? "" };
}

/** Why a message with this key cannot be taken: its topic asks for a domain, and there is room for no more; or "". */
export function domainRefusal(state: State, topic: Topic, key: string | undefined): string {
  const name = domainName(state, topic, key);
  const { erasureDomainsMax } = state.limits;
  if (name === undefined || state.erasure.size < erasureDomainsMax || state.erasure.find(name) !== undefined) return "";
  return `${erasureDomainsMax} erasure domains are in use, and no more may be`;
}

/** The attributes with the domain that the topic asks for, which is made if it is new; as they are, where it asks for none. */
export function withDomain(state: State, topic: Topic, attributes: Uint8Array): Uint8Array {
  const bytes = Buffer.from(attributes.buffer, attributes.byteOffset, attributes.length);
  const given = readAttributes({ bytes, attributesStart: 0, headerStart: bytes.length });
  const name = domainName(state, topic, given.key);
  return name === undefined ? attributes : writeAttributes({ ...given, domain: domainFor(state, name) });
}

function domainFor(state: State, name: DomainName): number {
  const { erasure } = state;
  const known = erasure.find(name);
  if (known !== undefined) return known.number;
  const domain: ErasureDomain = { ...name, number: erasure.lastNumber + 1, lastSeq: 0 };
  writeJson(state, RecordKind.erasureState, { domains: [domain] } satisfies ErasureState);
  erasure.add(domain);
  return domain.number;
}

const view = new MessageView();

/**
 * The message that was just written, to the end of the record reserved last, has its headers and payload confined to
 * its domain, if it has one. They are wiped when that was erased meanwhile: no copy outlives it.
 */
export function confineMessage(state: State, start: number, end: number): void {
  const { journal, erasure } = state;
  if (erasure.lastNumber === 0) return;
  const { openBytes } = journal;
  const message = view.read(openBytes, start, end);
  const domain = message.hasAttributes ? readAttribute(message, "domain") : undefined;
  if (domain === undefined) return;
  if (!erasure.isLive(domain)) {
    openBytes.fill(0, message.headerStart, end);
    return;
  }
  journal.confine(domain, message.headerStart);
  erasure.note(domain, journal.lastSeq);
}

/** Its headers and payload are gone, or have to be taken for gone. */
export function isErased(state: State, message: MessageView): boolean {
  if (message.isBlank) return true;
  if (state.erasure.lastNumber === 0 || !message.hasAttributes) return false;
  const domain = readAttribute(message, "domain");
  return domain !== undefined && !state.erasure.isLive(domain);
}

function writeJson(state: State, kind: number, value: unknown): void {
  const body = jsonBytes(value);
  const at = state.journal.reserve(kind, body.length);
  body.copy(state.journal.openBytes, at);
}
