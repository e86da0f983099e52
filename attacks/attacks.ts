/** Every row of the threat model, in its order. */
import { a01 } from "./a01-input-denial-of-service.ts";
import { a02 } from "./a02-connection-hijacking.ts";
import { a03 } from "./a03-injection.ts";
import { a04 } from "./a04-unauthorized-topics.ts";
import type { Attack } from "./support/attack.ts";

export const attacks: readonly Attack[] = [a01, a02, a03, a04];
