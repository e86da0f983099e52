/** An event stream of a declared subscription: each message with a token, settled by `POST`. */
import type { ServerResponse } from "node:http";
import type { EndReason } from "../../../model/link.ts";
import type { MessageView } from "../../../model/message.ts";
import type { ConsumeRequest, Consumer, ConsumerHandle, Lease } from "../../../model/queue.ts";
import { EventStream } from "./event-stream.ts";
import { leasedJson } from "./message-json.ts";
import type { Services } from "./route.ts";
import type { StreamRefusal } from "./topic-stream.ts";

export class LeaseStream implements Consumer {
  readonly #services: Services;
  #handle: ConsumerHandle | undefined;
  #events: EventStream | undefined;
  #isOver = false;
  #endedEarly: { readonly reason: EndReason; readonly text: string } | undefined;

  private constructor(services: Services) {
    this.#services = services;
  }

  static open(services: Services, request: ConsumeRequest): LeaseStream | StreamRefusal {
    const stream = new LeaseStream(services);
    const result = services.queues.consume(stream, request);
    if ("reason" in result) return result;
    stream.#handle = result;
    return stream;
  }

  write(outgoing: ServerResponse): void {
    this.#events = new EventStream({
      outgoing,
      deadlines: this.#services.deadlines,
      bytesMax: this.#services.limits.outboundBytesMax,
      drained: () => this.#resume(),
      closed: () => this.#close(),
    });
    if (this.#endedEarly === undefined) this.#resume();
    else this.#events.end(this.#endedEarly.reason, this.#endedEarly.text);
  }

  get ready(): boolean {
    return !this.#isOver && (this.#events?.hasRoom ?? false);
  }

  deliver(message: MessageView, lease: Lease): boolean {
    this.#events?.send({ event: "message", data: leasedJson(message, lease) });
    return true;
  }

  end(reason: EndReason, text: string): void {
    this.#isOver = true;
    if (this.#events === undefined) this.#endedEarly = { reason, text };
    else this.#events.end(reason, text);
  }

  #resume(): void {
    if (this.#handle !== undefined && !this.#isOver) this.#services.queues.resume(this.#handle);
  }

  /** What it had goes back at once, and counts as no attempt. */
  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#handle !== undefined) this.#services.queues.leave(this.#handle, false);
  }
}
