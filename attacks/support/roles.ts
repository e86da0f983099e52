/** The policy of the arena: what the principals of the attacks may do. The targets that have no rights do without. */

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

/** As `PUT /v1/policy` takes them. */
export const roles: object = {
  tenant: {
    allow: [
      { publish: "{principal}/#", subscribe: "{principal}/#", retain: "{principal}/#", will: "{principal}/#" },
      { share: "{principal}/#", consume: "{principal}", manage: ["{principal}/#", "$mess/queue/{principal}"] },
    ],
  },
  publisher: { allow: [{ publish: "{principal}/#" }] },
  masked: {
    allow: [{ publish: "#", subscribe: "#", retain: "#", will: "#", share: "#" }],
    deny: [{ subscribe: "secret/#" }],
  },
  everything: {
    allow: [{ publish: "#", subscribe: "#", retain: "#", will: "#", share: "#", consume: "#", manage: "#" }],
  },
  bare: { allow: [] },
};
