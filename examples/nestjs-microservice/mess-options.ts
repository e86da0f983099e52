/** How this machine reaches the broker: MESS_URL, MESS_CA and MESS_KEY, as the command line of mess takes them. */
import { readFileSync } from "node:fs";
import type { MqttOptions } from "@nestjs/microservices";

export function messOptions(env: NodeJS.ProcessEnv = process.env): NonNullable<MqttOptions["options"]> {
  const { MESS_URL = "mqtts://localhost:8883", MESS_CA, MESS_KEY } = env;
  const [username, password] = (MESS_KEY ?? "").split(".");
  return {
    url: MESS_URL,
    protocolVersion: 5,
    ...(MESS_CA !== undefined && { ca: readFileSync(MESS_CA) }),
    ...(username && password && { username, password }),
  };
}
