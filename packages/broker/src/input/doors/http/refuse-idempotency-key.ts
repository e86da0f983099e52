import { HttpRefusal } from "./problem.ts";
import type { HeaderValues } from "./publish-options.ts";

/** Where a secret is shown once: a repeat would have to show it again, and nobody has it any more. */
export function refuseIdempotencyKey(headers: HeaderValues): void {
  if (headers["idempotency-key"] === undefined) return;
  throw new HttpRefusal("wrong-parameters", "Idempotency-Key: each request makes a key of its own", {
    errors: [{ path: "idempotency-key", message: "is not taken here" }],
  });
}
