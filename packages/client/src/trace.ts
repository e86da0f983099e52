/** W3C trace context, as it travels in the user properties `traceparent` and `tracestate`. */
import type { UserProperties } from "@mess/wire";

export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Of a received message, taken apart. */
export interface MessageTrace extends TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the span that published the message. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/**
 * What joins messages to the traces of a program. With OpenTelemetry: `inject` by `propagation.inject`, `run` by
 * `context.with(propagation.extract(…), …)`. What it throws is passed over: tracing must not lose messages.
 */
export interface TraceProvider {
  /** The context of whatever runs now; undefined for none. */
  inject(): TraceContext | undefined;
  /** Runs a handler of a message within the trace of its publisher. */
  run?<Result>(parent: MessageTrace | undefined, handler: () => Result): Result;
}

const traceparentForm = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/u;

/** Undefined for none, and for one that is not valid: the standard says to begin anew then. */
export function traceOf(properties: UserProperties | undefined): MessageTrace | undefined {
  const traceparent = properties?.find(([name]) => name === "traceparent")?.[1];
  const [, version, traceId = "", spanId = "", flags = "", more] = traceparentForm.exec(traceparent ?? "") ?? [];
  if (traceparent === undefined || version === undefined || version === "ff") return undefined;
  if ((version === "00" && more !== undefined) || /^0+$/u.test(traceId) || /^0+$/u.test(spanId)) return undefined;
  const tracestate = properties?.find(([name]) => name === "tracestate")?.[1];
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceparent, traceId, spanId, sampled, ...(tracestate !== undefined && { tracestate }) };
}

/** `given` wins over what the provider says. */
export function traceProperties(given: TraceContext | undefined, provider: TraceProvider | undefined): UserProperties {
  const context = given ?? injected(provider);
  if (context === undefined || !traceparentForm.test(context.traceparent)) return [];
  const { traceparent, tracestate } = context;
  const own = ["traceparent", traceparent] as const;
  return tracestate === undefined || tracestate === "" ? [own] : [own, ["tracestate", tracestate]];
}

/** Runs the handler within the trace, if there is a provider that can. */
export function withTrace<Result>(
  provider: TraceProvider | undefined,
  trace: MessageTrace | undefined,
  handler: () => Result,
): Result {
  if (provider?.run === undefined) return handler();
  let began = false;
  const once = (): Result => {
    began = true;
    return handler();
  };
  try {
    return provider.run(trace, once);
  } catch (error) {
    // A provider that failed before the handler ran must not keep it from running.
    if (began) throw error;
    return handler();
  }
}

function injected(provider: TraceProvider | undefined): TraceContext | undefined {
  try {
    return provider?.inject();
  } catch {
    return undefined;
  }
}
