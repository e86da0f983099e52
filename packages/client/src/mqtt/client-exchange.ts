import { type AuthPacket, type ConnectPacket, PacketType, ReasonCode } from "@mess/wire";

/** The client's side of an authentication method of several steps (MQTT 5.0 section 4.12). */
export interface ClientExchange {
  readonly method: string;
  /** What CONNECT carries. */
  first(): Uint8Array;
  /**
   * Answers a challenge.
   *
   * @throws MessError
   */
  next(challenge: Uint8Array): Promise<Uint8Array>;
  /**
   * With what came with CONNACK: does the server, too, know what it should?
   *
   * @throws MessError
   */
  finish(data: Uint8Array | undefined): void;
}

/** CONNECT that begins the exchange. */
export function naming(connect: ConnectPacket, exchange: ClientExchange): ConnectPacket {
  const properties = { authenticationMethod: exchange.method, authenticationData: exchange.first() };
  return { ...connect, properties: { ...connect.properties, ...properties } };
}

/** @throws MessError */
export async function answerChallenge(exchange: ClientExchange, { properties }: AuthPacket): Promise<AuthPacket> {
  const authenticationData = await exchange.next(properties?.authenticationData ?? new Uint8Array(0));
  return {
    type: PacketType.AUTH,
    reasonCode: ReasonCode.ContinueAuthentication,
    properties: { authenticationMethod: exchange.method, authenticationData },
  };
}
