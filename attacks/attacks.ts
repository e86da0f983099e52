/** Every row of the threat model, in its order. */
import { a01 } from "./a01-input-denial-of-service.ts";
import { a02 } from "./a02-connection-hijacking.ts";
import { a03 } from "./a03-injection.ts";
import { a04 } from "./a04-unauthorized-topics.ts";
import { a05 } from "./a05-topic-squatting.ts";
import { a06 } from "./a06-unauthorized-subscriptions.ts";
import { a07 } from "./a07-subscription-spoofing.ts";
import { a08 } from "./a08-subscription-manipulation.ts";
import { a09 } from "./a09-storage-access.ts";
import { a10 } from "./a10-tampering.ts";
import { a11 } from "./a11-data-loss.ts";
import { a12 } from "./a12-interception.ts";
import { a13 } from "./a13-injection-of-messages.ts";
import type { Attack } from "./support/attack.ts";

export const attacks: readonly Attack[] = [a01, a02, a03, a04, a05, a06, a07, a08, a09, a10, a11, a12, a13];
