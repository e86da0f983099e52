/** Many publishes of one client, as many under way as the broker allows. */
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";

/** Below the broker's Receive Maximum. */
const underWayMax = 90;

export interface Blast {
  readonly count: number;
  fields(index: number): Omit<build.PublishFields, "version" | "id" | "qos">;
}

export interface BlastResult {
  accepted: number;
  refused: number;
}

/** QoS 1. Stops at the end of the connection. */
export async function blast(client: RawClient, { count, fields }: Blast): Promise<BlastResult> {
  const result: BlastResult = { accepted: 0, refused: 0 };
  let underWay = 0;
  for (let index = 0; index < count || underWay > 0; ) {
    const packets: Buffer[] = [];
    for (; index < count && underWay < underWayMax; index += 1, underWay += 1) {
      packets.push(build.publish({ ...fields(index), version: client.version, qos: 1, id: (index % 60_000) + 1 }));
    }
    if (client.isClosed) return result;
    if (packets.length > 0) client.send(...packets);
    const { code } = await client.take("PUBACK", 30_000);
    underWay -= 1;
    if (code < 0x80) result.accepted += 1;
    else result.refused += 1;
  }
  return result;
}

/** QoS 0: as fast as the socket takes it. Stops at the end of the connection. */
export async function pour(client: RawClient, { count, fields }: Blast): Promise<void> {
  const { socket } = client.stream;
  for (let index = 0; index < count && !client.isClosed; ) {
    const packets: Buffer[] = [];
    for (; index < count && packets.length < 256; index += 1) {
      packets.push(build.publish({ ...fields(index), version: client.version, qos: 0 }));
    }
    client.send(...packets);
    if (socket.writableLength > 0) await drained(client);
  }
}

/** Resolves when the socket has taken everything, or is gone. */
export async function drained(client: RawClient): Promise<void> {
  const { socket } = client.stream;
  while (socket.writableLength > 0 && !client.isClosed) await new Promise((resolve) => setTimeout(resolve, 2));
}
