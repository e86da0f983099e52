/** The policy of the arena: what the principals of the attacks may do. The targets that have no rights do without. */
import { withPolicy } from "../../test/support/declared.ts";

/**
 * `tenant`: everything below a tree named after itself. `publisher`: to publish there, no more. `masked`: everything
 * but to read what lies below `secret`. `everything`: all topics, no administration. `bare`: nothing.
 */
export type Role =
  | "tenant"
  | "publisher"
  | "masked"
  | "everything"
  | "bare"
  | "admin"
  | "viewer"
  | "operator"
  | "publisher-admin"
  | "security-admin"
  | "auditor";

export const policyText: string = `
[roles.tenant]
allow = [
  { publish = "{principal}/#", subscribe = "{principal}/#", retain = "{principal}/#", will = "{principal}/#" },
  { share = "{principal}/#", consume = "{principal}", manage = ["{principal}/#", "$mess/queue/{principal}"] },
]

[roles.publisher]
allow = [{ publish = "{principal}/#" }]

[roles.masked]
allow = [{ publish = "#", subscribe = "#", retain = "#", will = "#", share = "#" }]
deny = [{ subscribe = "secret/#" }]

[roles.everything]
allow = [{ publish = "#", subscribe = "#", retain = "#", will = "#", share = "#", consume = "#", manage = "#" }]

[roles.bare]
allow = []
`;

/** Arguments of `mess serve`. */
export const arenaPolicy = (): readonly string[] => withPolicy(policyText);
