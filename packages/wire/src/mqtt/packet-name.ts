import { PacketType } from "./packet.ts";

const names: readonly string[] = ["Packet type 0", ...Object.keys(PacketType)];

/** "CONNECT" for 1, and so on; for messages to people. */
export function packetName(type: number): string {
  return names[type] ?? `Packet type ${type}`;
}
