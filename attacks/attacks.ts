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
import { a14 } from "./a14-delivery-disruption.ts";
import { a15 } from "./a15-unauthorized-publishing.ts";
import { a16 } from "./a16-message-spoofing.ts";
import { a17 } from "./a17-consumer-access.ts";
import { b01 } from "./b01-entry-point.ts";
import { b02 } from "./b02-network-connections.ts";
import { b03 } from "./b03-input-validation.ts";
import { b04 } from "./b04-topic-management.ts";
import { b05 } from "./b05-topic-names.ts";
import { b06 } from "./b06-revocation.ts";
import { b07 } from "./b07-identity-of-consumers.ts";
import { b08 } from "./b08-access-to-medium.ts";
import { b09 } from "./b09-encryption-at-rest.ts";
import { b10 } from "./b10-integrity-checks.ts";
import { b11 } from "./b11-encryption-in-transit.ts";
import { b12 } from "./b12-integrity-of-delivery.ts";
import { b13 } from "./b13-producer-authentication.ts";
import { b14 } from "./b14-producer-authorization.ts";
import { b15 } from "./b15-consumer-authentication.ts";
import { b16 } from "./b16-consumer-authorization.ts";
import { c01 } from "./c01-no-authentication.ts";
import { c02 } from "./c02-network-trust.ts";
import { c03 } from "./c03-simple-storage.ts";
import { c04 } from "./c04-metadata.ts";
import { c05 } from "./c05-replay.ts";
import { d01 } from "./d01-tls.ts";
import { d02 } from "./d02-authentication.ts";
import { d03 } from "./d03-topic-authorization.ts";
import { d04 } from "./d04-file-permissions.ts";
import { d05 } from "./d05-input-limits.ts";
import { d07 } from "./d07-message-signing.ts";
import { d08 } from "./d08-dependencies.ts";
import { d09 } from "./d09-guidelines.ts";
import { d10 } from "./d10-logging.ts";
import { d11 } from "./d11-roles-and-keys.ts";
import { e01 } from "./e01-wills.ts";
import { e02 } from "./e02-retained-of-revoked.ts";
import { e03 } from "./e03-second-half.ts";
import { e04 } from "./e04-client-id-ownership.ts";
import { e05 } from "./e05-shared-subscriptions.ts";
import { e06 } from "./e06-aliases-and-identifiers.ts";
import { e07 } from "./e07-dashboard.ts";
import { e08 } from "./e08-rollback.ts";
import { e09 } from "./e09-nonce-reuse.ts";
import { e10 } from "./e10-failed-sync.ts";
import { e11 } from "./e11-pagination.ts";
import { e12 } from "./e12-decompression.ts";
import { e13 } from "./e13-forwarded-addresses.ts";
import { e14 } from "./e14-supply-chain.ts";
import { e15 } from "./e15-javascript.ts";
import type { Attack } from "./support/attack.ts";

export const attacks: readonly Attack[] = [
  a01,
  a02,
  a03,
  a04,
  a05,
  a06,
  a07,
  a08,
  a09,
  a10,
  a11,
  a12,
  a13,
  a14,
  a15,
  a16,
  a17,
  b01,
  b02,
  b03,
  b04,
  b05,
  b06,
  b07,
  b08,
  b09,
  b10,
  b11,
  b12,
  b13,
  b14,
  b15,
  b16,
  c01,
  c02,
  c03,
  c04,
  c05,
  d01,
  d02,
  d03,
  d04,
  d05,
  d07,
  d08,
  d09,
  d10,
  d11,
  e01,
  e02,
  e03,
  e04,
  e05,
  e06,
  e07,
  e08,
  e09,
  e10,
  e11,
  e12,
  e13,
  e14,
  e15,
];
