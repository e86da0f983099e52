import { MessError } from "../mess-error.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";

/** How a failure travels back: problem details (RFC 9457), which other clients can read too. */
export const problemType = "application/problem+json";

interface Problem {
  readonly title: string;
  readonly code: string;
  readonly retryable: boolean;
}

/**
 * A MessError says what its author wanted said; of any other error only that it happened: its text was not written for
 * the other side.
 */
export function problemOf(error: unknown): Uint8Array {
  const known = error instanceof MessError ? error : undefined;
  const problem: Problem = {
    title: known?.message ?? "the responder failed",
    code: known?.reason ?? known?.code ?? "INTERNAL",
    retryable: known?.retryable ?? false,
  };
  return new TextEncoder().encode(JSON.stringify(problem));
}

/** Undefined for a reply that is none. */
export function errorOfReply({ properties, payload }: MqttMessage): MessError | undefined {
  if (properties.contentType !== problemType) return undefined;
  let problem: Partial<Problem> = {};
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof value === "object" && value !== null) problem = value;
  } catch {
    // A failure all the same.
  }
  const { title, code, retryable } = problem;
  return new MessError("REMOTE_FAILURE", typeof title === "string" ? title : "the responder failed", {
    reason: typeof code === "string" ? code : undefined,
    retryable: retryable === true,
  });
}
