import type { Broker, BrokerOptions, TargetName } from "./broker.ts";
import { startForeign } from "./foreign-broker.ts";
import { startMess } from "./mess-broker.ts";

/** `options` are for mess alone: the others run with their defaults. */
export function startTarget(target: TargetName, options: BrokerOptions = {}): Promise<Broker> {
  return target === "mess" ? startMess(options) : startForeign(target);
}
