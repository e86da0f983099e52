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
  | "CLOSED"
  /** The payload does not satisfy its schema, or is not of its encoding. Nothing was sent. */
  | "INVALID_PAYLOAD"
  /** The message does not bear a signature of one of the keys that `verify` trusts. */
  | "BAD_SIGNATURE"
  /** The message is not this consumer's any more: its lease expired or its connection ended. It will be delivered again. */
  | "LEASE_LOST"
  /** Nobody answers requests on that topic. */
  | "NO_RESPONDER"
  /** The responder failed; `reason` is the code it gave. */
  | "REMOTE_FAILURE";

export interface MessErrorDetail {
  /** MQTT reason code, when the server sent one. */
  reasonCode?: number | undefined;
  /** The server's Reason String, or the standard's name of the code. */
  reason?: string | undefined;
  hint?: string | undefined;
  /** Another server that the server named. */
  serverReference?: string | undefined;
  /** When the code alone does not tell. */
  retryable?: boolean | undefined;
  cause?: unknown;
}

const retryableCodes: ReadonlySet<MessErrorCode> = new Set([
  "UNREACHABLE",
  "TIMEOUT",
  "CONNECTION_LOST",
  "QUEUE_FULL",
  "NO_RESPONDER",
]);
/** Server busy, server unavailable, quota exceeded, connection rate exceeded, receive maximum, shutting down. */
const retryableReasons: ReadonlySet<number> = new Set([0x88, 0x89, 0x8b, 0x93, 0x96, 0x97, 0x9f]);

export class MessError extends Error {
  readonly code: MessErrorCode;
  readonly reasonCode: number | undefined;
  readonly reason: string | undefined;
  readonly hint: string | undefined;
  readonly serverReference: string | undefined;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;

  constructor(code: MessErrorCode, message: string, detail: MessErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "MessError";
    this.code = code;
    this.reasonCode = detail.reasonCode;
    this.reason = detail.reason;
    this.hint = detail.hint;
    this.serverReference = detail.serverReference;
    this.retryable = detail.retryable ?? mayPass(code, detail.reasonCode);
  }
}

function mayPass(code: MessErrorCode, reasonCode: number | undefined): boolean {
  if (reasonCode !== undefined) return retryableReasons.has(reasonCode);
  return retryableCodes.has(code);
}

/** The owner has ended it. */
export function clientClosed(): MessError {
  return new MessError("CLOSED", "the client was closed");
}
