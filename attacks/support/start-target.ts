import type { Broker, TargetName } from "./broker.ts";
import { startMess } from "./mess-broker.ts";

export async function startTarget(target: TargetName): Promise<Broker> {
  if (target === "mess") return startMess();
  throw new Error(`${target} is not there yet`);
}
