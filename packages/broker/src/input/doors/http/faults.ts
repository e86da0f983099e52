import type { z } from "zod";
import { HttpRefusal, type ProblemCode, type ProblemError } from "./problem.ts";

/** More are not told: a body of a thousand wrong items says the same thing a thousand times. */
const ERRORS_MAX = 20;

/** The refusal for what a schema found, each fault with its path. */
export function faultsOf(error: z.ZodError, code: ProblemCode): HttpRefusal {
  const errors = problemErrorsOf(error);
  return new HttpRefusal(code, sentenceOf(errors), { errors });
}

export function problemErrorsOf(error: z.ZodError): ProblemError[] {
  const errors: ProblemError[] = [];
  for (const issue of error.issues) {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys)
        errors.push({ path: [...path, shortened(key)].join("."), message: "is not known here" });
    } else {
      errors.push({ path: path.map(shortened).join("."), message: issue.message });
    }
    if (errors.length >= ERRORS_MAX) break;
  }
  return errors.slice(0, ERRORS_MAX);
}

/** The first fault as the detail of a problem. */
export function sentenceOf(errors: readonly ProblemError[]): string {
  const [first] = errors;
  if (first === undefined) return "is not valid";
  const line = first.line === undefined ? "" : `line ${first.line}: `;
  return `${line}${first.path === "" ? "" : `${first.path}: `}${first.message}`;
}

/** Of what somebody sent, as much as an answer repeats. */
function shortened(key: string): string {
  return key.length <= 64 ? key : `${key.slice(0, 64)}…`;
}
