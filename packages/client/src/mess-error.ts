/**
 * The one error class of the client. `code` is stable and for programs, `message` says what happened, `hint` says what
 * to do about it. `reasonCode` and `reason` are the server's own words, when it gave any.
 */
export type MessErrorCode =
  /** An argument is wrong: a URL, a topic, an option. Nothing was sent. */
  | "INVALID_ARGUMENT"
  /** Credentials would have crossed a network in clear. Nothing was sent. */
  | "CLEARTEXT_CREDENTIALS"
  /** No connection could be made: name, port, network. */
  | "UNREACHABLE"
  /** The server's certificate is not one the given CA vouches for, or TLS failed otherwise. */
  | "TLS_FAILED"
  /** The server refused the credentials or the right. */
  | "NOT_AUTHORIZED"
  /** The server refused for another reason: see `reasonCode`. */
  | "REFUSED"
  /** No answer within the deadline. The outcome of a publish is unknown. */
  | "TIMEOUT"
  /** The connection ended before the answer came. The outcome of a publish is unknown. */
  | "CONNECTION_LOST"
  /** The peer broke the protocol. */
  | "PROTOCOL_ERROR"
  /** Larger than the server (or this client) accepts. */
  | "TOO_LARGE"
  /** Too many publishes wait for the server already. */
  | "QUEUE_FULL"
  /** The caller's AbortSignal fired. */
  | "ABORTED"
  /** The client was disconnected by its owner. */
  | "CLOSED";

export interface MessErrorDetail {
  /** MQTT reason code, when the server sent one. */
  reasonCode?: number | undefined;
  /** The server's Reason String, or the standard's name of the code. */
  reason?: string | undefined;
  hint?: string | undefined;
  cause?: unknown;
}

const retryableCodes: ReadonlySet<MessErrorCode> = new Set(["UNREACHABLE", "TIMEOUT", "CONNECTION_LOST", "QUEUE_FULL"]);
/** Server busy, server unavailable, quota exceeded, connection rate exceeded, receive maximum, shutting down. */
const retryableReasons: ReadonlySet<number> = new Set([0x88, 0x89, 0x8b, 0x93, 0x96, 0x97, 0x9f]);

export class MessError extends Error {
  readonly code: MessErrorCode;
  readonly reasonCode: number | undefined;
  readonly reason: string | undefined;
  readonly hint: string | undefined;

  constructor(code: MessErrorCode, message: string, detail: MessErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "MessError";
    this.code = code;
    this.reasonCode = detail.reasonCode;
    this.reason = detail.reason;
    this.hint = detail.hint;
  }

  /** Whether the same call may succeed later without any change. */
  get retryable(): boolean {
    if (this.reasonCode !== undefined) return retryableReasons.has(this.reasonCode);
    return retryableCodes.has(this.code);
  }
}
