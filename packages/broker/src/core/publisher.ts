/** Who publishes: a session, or somebody who has none (HTTP). */
import type { PublishOrigin } from "../model/queue.ts";
import type { Topic } from "./topic.ts";

export interface Publisher {
  readonly principal: string;
  readonly principalBytes: Uint8Array;
  /** Of the session; 0 for none. */
  readonly number: number;
  /** The last answer to "may it publish here": valid for this topic object at this generation of rights. */
  publishTopic: Topic | undefined;
  publishGeneration: number;
  publishAllowed: boolean;
}

export function publisherOf(origin: PublishOrigin): Publisher {
  return {
    principal: origin.principal,
    principalBytes: Buffer.from(origin.principal, "utf8"),
    number: origin.number,
    publishTopic: undefined,
    publishGeneration: -1,
    publishAllowed: false,
  };
}
