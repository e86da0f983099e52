/** Looking into the journal without reading from it: what it still holds of some topics, page by page, each of bounded work. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import type { BrowseRequest, MessagePage, StoredMessage } from "../model/queue-administration.ts";
import { patternLevels, patternMatches } from "../model/topic-pattern.ts";
import { isErased } from "./erasing.ts";
import { readMessage } from "./frame-reading.ts";
import { walkFrames } from "./frame-walk.ts";
import type { Outbox } from "./outbox.ts";
import type { PositionProblem, Positions } from "./positions.ts";
import { allowed, allowedMessage } from "./rights.ts";
import { isShown } from "./shown.ts";
import type { State } from "./state.ts";
import { storedMessage } from "./stored-message.ts";

export interface BrowsingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly positions: Positions;
}

/** Read for one page, at most: whoever finds little goes on from where it ended. */
const workBytesMax = 16 * 1024 * 1024;
const workFramesMax = 256;

export class Browsing {
  readonly #parts: BrowsingParts;
  readonly #state: State;

  constructor(parts: BrowsingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** A page may have no message and a `next`: there was much else to look through. Rights are asked for each topic. */
  browse(by: string, request: BrowseRequest, done: (page: MessagePage | PositionProblem) => void): void {
    // Everything that was told as published is shown, and nothing that a power cut could take back.
    this.#parts.outbox.action(() => {
      this.#parts.positions.resolve(request.from, (from) => {
        if (typeof from === "number") this.#page(new Page(this.#state, by, request), from, done);
        else done(from);
      });
    });
  }

  #page(page: Page, from: number, done: (page: MessagePage) => void): void {
    const { journal } = this.#state;
    walkFrames(journal, from, {
      frame: (frame, at) => page.take(frame, at),
      done: (behind) => {
        const next = page.full ?? behind;
        done({ messages: page.shown(), next: next > journal.durableSeq ? undefined : next });
      },
    });
  }
}

class Page {
  #messages: StoredMessage[] = [];
  /** Where the page ended, if that was inside a frame. */
  full: number | undefined;
  readonly #state: State;
  readonly #by: string;
  readonly #request: BrowseRequest;
  readonly #levels: readonly string[];
  readonly #view: MessageView = new MessageView();
  readonly #mayRead: Map<string, boolean> = new Map();
  /** Of the rights under which it was gathered. */
  #rights: number;
  #bytes = 0;
  #work = 0;
  #frames = 0;

  constructor(state: State, by: string, request: BrowseRequest) {
    this.#state = state;
    this.#by = by;
    this.#request = request;
    this.#levels = patternLevels(request.filter);
    this.#rights = state.rightsGeneration;
  }

  /** What it holds. Frames may have been read from disk meanwhile, and rights changed: what was taken before is asked for again. */
  shown(): readonly StoredMessage[] {
    this.#askAgain();
    return this.#messages;
  }

  #askAgain(): void {
    if (this.#rights === this.#state.rightsGeneration) return;
    this.#rights = this.#state.rightsGeneration;
    this.#mayRead.clear();
    this.#messages = this.#messages.filter(({ topic, attributes: { originTopic } }) => {
      return this.#mayReadTopic(topic) && (originTopic === undefined || this.#mayReadTopic(originTopic));
    });
  }

  /** False when no more is to be read. */
  take(frame: JournalFrame, from: number): boolean {
    this.#askAgain();
    this.#frames++;
    this.#work += frame.bytes.length;
    for (let i = Math.max(0, from - frame.firstSeq); i < frame.count; i++) {
      if (!isShown(frame.kinds[i] as number)) continue;
      const message = readMessage(this.#view, frame, i);
      if (isErased(this.#state, message) || !this.#isWanted(message) || !allowedMessage(this.#state, this.#by, message))
        continue;
      const bytes = message.payloadEnd - message.headerStart;
      const isTooMuch = this.#messages.length > 0 && this.#bytes + bytes > this.#request.bytesMax;
      if (this.#messages.length >= this.#request.limit || isTooMuch) {
        this.full = frame.firstSeq + i;
        return false;
      }
      this.#bytes += bytes;
      this.#messages.push(storedMessage(message, frame.firstSeq + i));
    }
    return this.#work < workBytesMax && this.#frames < workFramesMax;
  }

  #isWanted(message: MessageView): boolean {
    const { topic } = message;
    return patternMatches(this.#levels, topic) && this.#mayReadTopic(topic);
  }

  #mayReadTopic(topic: string): boolean {
    let answer = this.#mayRead.get(topic);
    if (answer === undefined) {
      answer = allowed(this.#state, this.#by, "subscribe", topic);
      this.#mayRead.set(topic, answer);
    }
    return answer;
  }
}
