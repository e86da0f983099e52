/**
 * The few MQTT 3.1.1 packets a load needs. Not the broker's codec: a bench that shares code with what it measures
 * would share its mistakes, and this one only has to be cheap.
 */

/** First bytes of the packets a client receives, without their flags. */
export const PacketType = { connack: 0x20, publish: 0x30, puback: 0x40, suback: 0x90 } as const;

/** Every payload begins with: time sent (4 bytes, µs), publisher (4 bytes), sequence number (4 bytes), little endian. */
export const stampBytes = 12;
export const payloadBytesMin = 16;

export interface ConnectFields {
  readonly clientId: string;
  /** False keeps the session when the connection ends. */
  readonly cleanSession: boolean;
  /** Seconds; 0 is never. */
  readonly keepAlive: number;
}

export function connectPacket(fields: ConnectFields): Buffer {
  const flags = fields.cleanSession ? 2 : 0;
  const level = Buffer.from([4, flags, fields.keepAlive >> 8, fields.keepAlive & 0xff]);
  return packet(0x10, Buffer.concat([text("MQTT"), level, text(fields.clientId)]));
}

export function subscribePacket(packetId: number, filters: readonly string[], qos: 0 | 1): Buffer {
  const parts = filters.flatMap((filter) => [text(filter), Buffer.from([qos])]);
  return packet(0x82, Buffer.concat([Buffer.from([packetId >> 8, packetId & 0xff]), ...parts]));
}

export const disconnectPacket: Buffer = Buffer.from([0xe0, 0]);
export const pingPacket: Buffer = Buffer.from([0xc0, 0]);

/** A whole PUBLISH to be copied and patched for each message. */
export interface PublishTemplate {
  readonly bytes: Buffer;
  /** Where the packet identifier is; unused at QoS 0. */
  readonly packetIdAt: number;
  readonly payloadAt: number;
}

export function publishTemplate(topic: string, qos: 0 | 1, payloadBytes: number): PublishTemplate {
  const name = text(topic);
  const packetIdBytes = qos === 0 ? 0 : 2;
  const payload = Buffer.alloc(Math.max(payloadBytesMin, payloadBytes), "payload ");
  const bytes = packet(0x30 | (qos << 1), Buffer.concat([name, Buffer.alloc(packetIdBytes), payload]));
  const payloadAt = bytes.length - payload.length;
  return { bytes, packetIdAt: payloadAt - packetIdBytes, payloadAt };
}

function packet(first: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([first, ...length]), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
