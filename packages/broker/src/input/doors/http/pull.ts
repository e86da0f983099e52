/** One pull: a consumer that takes what there is, waits for the first message if there is none, and is answered once. */
import type { EndReason } from "../../../model/link.ts";
import type { MessageView } from "../../../model/message.ts";
import type { Consumer, Lease } from "../../../model/queue.ts";
import type { Deadline, Deadlines } from "../../deadlines.ts";
import { leasedJson, type MessageJson } from "./message-json.ts";

export interface PullWish {
  readonly messages: number;
  readonly bytes: number;
  readonly waitMs: number;
}

/** After the first message, more may be on their way from the disk: so long one more is waited for, and at most in all. */
const QUIET_MS = 2;
const GATHER_MS = 20;

export type PullOutcome =
  | { readonly messages: readonly MessageJson[] }
  /** The engine has taken its leases back. */
  | { readonly ended: EndReason; readonly text: string };

export class Pull implements Consumer {
  readonly #wish: PullWish;
  readonly #messages: MessageJson[] = [];
  readonly #answer: (outcome: PullOutcome) => void;
  readonly #deadlines: Deadlines;
  readonly #wait: Deadline | undefined;
  #bytes = 0;
  #isAnswered = false;
  #quiet: NodeJS.Timeout | undefined;
  #gather: NodeJS.Timeout | undefined;

  /** `answer` is called once, never from within the constructor. */
  constructor(wish: PullWish, deadlines: Deadlines, answer: (outcome: PullOutcome) => void) {
    this.#wish = wish;
    this.#answer = answer;
    this.#deadlines = deadlines;
    if (wish.waitMs > 0) this.#wait = deadlines.start(wish.waitMs, { deadlineReached: () => this.finish() });
    else this.#quiet = setTimeout(() => this.finish(), GATHER_MS);
  }

  get ready(): boolean {
    return !this.#isAnswered && this.#messages.length < this.#wish.messages && this.#bytes < this.#wish.bytes;
  }

  deliver(message: MessageView, lease: Lease): boolean {
    this.#messages.push(leasedJson(message, lease));
    this.#bytes += message.payloadEnd - message.headerStart;
    clearTimeout(this.#quiet);
    // Never from within: whoever delivers may not have got its answer yet.
    this.#quiet = setTimeout(() => this.finish(), this.ready ? QUIET_MS : 0);
    this.#gather ??= setTimeout(() => this.finish(), GATHER_MS);
    return true;
  }

  end(reason: EndReason, text: string): void {
    this.#settle({ ended: reason, text });
  }

  /** Answers with what is there. */
  finish(): void {
    this.#settle({ messages: this.#messages });
  }

  #settle(outcome: PullOutcome): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    clearTimeout(this.#quiet);
    clearTimeout(this.#gather);
    if (this.#wait !== undefined) this.#deadlines.cancel(this.#wait);
    this.#answer(outcome);
  }
}
