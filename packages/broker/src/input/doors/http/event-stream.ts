/** Server-sent events (HTML, section 9.2) on one response: gathered per turn of the loop, bounded, kept alive. */
import type { ServerResponse } from "node:http";
import type { Deadline, Deadlines, DeadlineTarget } from "../../deadlines.ts";

/** Proxies close what is silent for a minute; so does our own server (`STALLED_MS`). */
const HEARTBEAT_MS = 15_000;
/** How long a client is asked to wait before it comes back. */
const RETRY_MS = 2_000;

export interface ServerEvent {
  readonly event?: string;
  /** Becomes `Last-Event-ID` when the client comes back. */
  readonly id?: string;
  /** Goes out as JSON, which has no line ends. */
  readonly data: unknown;
}

export interface EventStreamOptions {
  readonly outgoing: ServerResponse;
  readonly deadlines: Deadlines;
  /** Bytes that may wait for the client before it counts as full. */
  readonly bytesMax: number;
  /** There is room again. */
  readonly drained: () => void;
  /** The client is gone, or `end` was called and everything is out. Called once. */
  readonly closed: () => void;
}

export class EventStream implements DeadlineTarget {
  readonly #options: EventStreamOptions;
  #pending: string[] = [];
  #pendingBytes = 0;
  #heartbeat: Deadline;
  #isOpen = true;
  #isFull = false;
  #written: (() => void)[] = [];

  constructor(options: EventStreamOptions) {
    this.#options = options;
    const { outgoing, deadlines } = options;
    this.#heartbeat = deadlines.start(HEARTBEAT_MS, this);
    outgoing.on("drain", () => this.#roomAgain());
    outgoing.on("error", () => {});
    outgoing.once("close", () => this.#gone());
    if (outgoing.closed || outgoing.destroyed) setImmediate(() => this.#gone());
    this.#put(`retry: ${RETRY_MS}\n\n`);
  }

  get hasRoom(): boolean {
    return this.#isOpen && !this.#isFull;
  }

  send({ event, id, data }: ServerEvent): void {
    const head = `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
    this.#put(`${head}data: ${JSON.stringify(data)}\n\n`);
  }

  /** Runs after the next write to the socket. */
  afterWrite(run: () => void): void {
    this.#written.push(run);
  }

  /** Says why, as the event `end`, then closes. */
  end(reason: string, text: string): void {
    if (!this.#isOpen) return;
    this.send({ event: "end", data: { reason, text } });
    this.#flush();
    this.#isOpen = false;
    this.#options.outgoing.end();
  }

  deadlineReached(): void {
    if (!this.#isOpen) return;
    this.#heartbeat = this.#options.deadlines.start(HEARTBEAT_MS, this);
    // A client that takes nothing gets no more: the server's own clock ends it.
    if (!this.#isFull) this.#put(": still here\n\n");
  }

  #put(text: string): void {
    if (!this.#isOpen) return;
    if (this.#pending.length === 0) setImmediate(() => this.#flush());
    this.#pending.push(text);
    // UTF-16 units: near enough for a bound, and no walk over the text.
    this.#pendingBytes += text.length;
    if (this.#pendingBytes + this.#options.outgoing.writableLength >= this.#options.bytesMax) this.#isFull = true;
  }

  #flush(): void {
    if (!this.#isOpen || this.#pending.length === 0) return;
    const { outgoing } = this.#options;
    const text = this.#pending.join("");
    this.#pending = [];
    this.#pendingBytes = 0;
    const isThrough = outgoing.write(text);
    const written = this.#written;
    this.#written = [];
    for (const run of written) run();
    if (isThrough) this.#roomAgain();
  }

  #roomAgain(): void {
    if (!this.#isFull || this.#options.outgoing.writableLength >= this.#options.bytesMax) return;
    this.#isFull = false;
    if (this.#isOpen) this.#options.drained();
  }

  #gone(): void {
    this.#isOpen = false;
    this.#pending = [];
    this.#written = [];
    this.#options.deadlines.cancel(this.#heartbeat);
    this.#options.closed();
  }
}
