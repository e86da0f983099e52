/** Enhanced authentication: a method of several steps, at CONNECT and again later (MQTT 5.0 section 4.12). */
import { type AuthPacket, type ConnectPacket, PacketType, type Properties, ReasonCode } from "@mess/wire";
import {
  type Exchange,
  type ExchangeStep,
  type Identity,
  isRefused,
  type Refused,
} from "../../../model/authentication.ts";
import { letIn, refusalCode } from "./let-in.ts";
import type { MqttConnection } from "./mqtt-connection.ts";

/** The method a connection named in CONNECT, and its run under way. */
export interface Enhanced {
  readonly method: string;
  /** `undefined` between two runs. */
  exchange: Exchange | undefined;
  /** The CONNECT that waits for the first run; `undefined` once the client is in. */
  connect: ConnectPacket | undefined;
  /** The client spoke last, and its answer is not there yet. */
  isPending: boolean;
}

const noData: Uint8Array = new Uint8Array(0);

/** CONNECT named a method. False when it is refused. */
export function beginExchange(connection: MqttConnection, packet: ConnectPacket): boolean {
  const { authenticationMethod: method = "", authenticationData: data = noData } = packet.properties ?? {};
  const exchange = connection.context.authenticator.begin(method, connection.peer);
  if (isRefused(exchange)) return refuseConnect(connection, exchange, ReasonCode.BadAuthenticationMethod);
  connection.enhanced = { method, exchange, connect: packet, isPending: false };
  return advance(connection, connection.enhanced, data);
}

/** AUTH came. False when the connection ends. */
export function handleAuth(connection: MqttConnection, packet: AuthPacket): boolean {
  const { enhanced } = connection;
  const { authenticationMethod: method, authenticationData: data = noData } = packet.properties ?? {};
  if (enhanced === undefined) {
    return breaks(connection, "AUTH needs an Authentication Method in CONNECT [MQTT-4.12.0-7]");
  }
  if (method !== enhanced.method) return breaks(connection, "the method of AUTH is that of CONNECT [MQTT-4.12.1-1]");
  if (enhanced.isPending) return breaks(connection, "AUTH came before the one before it was answered");
  const isNew = packet.reasonCode === ReasonCode.ReAuthenticate;
  if (isNew === (enhanced.exchange !== undefined)) {
    return breaks(connection, isNew ? "an authentication is under way already" : "no authentication is under way");
  }
  if (isNew) {
    if (!connection.isAttached) return breaks(connection, "a new authentication begins after CONNACK");
    const exchange = connection.context.authenticator.begin(enhanced.method, connection.peer);
    if (isRefused(exchange)) return refuseAgain(connection, exchange);
    enhanced.exchange = exchange;
  }
  return advance(connection, enhanced, data);
}

function advance(connection: MqttConnection, enhanced: Enhanced, data: Uint8Array): boolean {
  const step = enhanced.exchange?.next(data);
  if (step === undefined) return false;
  const { connect } = enhanced;
  const take = (result: ExchangeStep): boolean => {
    enhanced.isPending = false;
    return connect === undefined ? takeLater(connection, enhanced, result) : takeFirst(connection, enhanced, result);
  };
  if (!(step instanceof Promise)) return take(step);
  enhanced.isPending = true;
  return connection.suspend(connect, step, take);
}

/** A step before CONNACK. */
function takeFirst(connection: MqttConnection, enhanced: Enhanced, step: ExchangeStep): boolean {
  const { connect } = enhanced;
  if (connect === undefined) return false;
  if ("challenge" in step) {
    connection.proving(connect);
    return challenge(connection, enhanced, step.challenge);
  }
  enhanced.exchange = undefined;
  enhanced.connect = undefined;
  if (isRefused(step)) return refuseConnect(connection, step, ReasonCode.BadUserNameOrPassword);
  return letIn(connection, connect, step.identity, said(enhanced, step.data));
}

/** A step of a re-authentication. What the client sends meanwhile counts as before [MQTT 5.0 section 4.12.1]. */
function takeLater(connection: MqttConnection, enhanced: Enhanced, step: ExchangeStep): boolean {
  if ("challenge" in step) return challenge(connection, enhanced, step.challenge);
  enhanced.exchange = undefined;
  if (isRefused(step)) return refuseAgain(connection, step);
  return renew(connection, enhanced, step.identity) && answer(connection, enhanced, ReasonCode.Success, step.data);
}

function renew(connection: MqttConnection, { method }: Enhanced, who: Identity): boolean {
  if (who.principal === connection.principal) return true;
  connection.context.audit("auth.other", { principal: connection.principal, claimed: who.principal, method });
  return refuseAgain(connection, { refused: "a re-authentication is of the same principal" });
}

function challenge(connection: MqttConnection, enhanced: Enhanced, data: Uint8Array): boolean {
  return answer(connection, enhanced, ReasonCode.ContinueAuthentication, data);
}

function answer(connection: MqttConnection, enhanced: Enhanced, reasonCode: number, data: Uint8Array): boolean {
  const properties = said(enhanced, data);
  if (connection.out.packet({ type: PacketType.AUTH, reasonCode, properties })) return true;
  connection.fail(ReasonCode.PacketTooLarge, "AUTH does not fit into the client's Maximum Packet Size");
  return false;
}

/** Each AUTH and the CONNACK name the method [MQTT-4.12.0-5]. */
function said({ method }: Enhanced, data: Uint8Array): Properties {
  return { authenticationMethod: method, ...(data.length > 0 && { authenticationData: data }) };
}

function refuseConnect(connection: MqttConnection, { refused, ...why }: Refused, wrong: number): false {
  return connection.refuse(refusalCode(why, wrong), refused);
}

/** A failed re-authentication ends the connection [MQTT-4.12.1-2]. */
function refuseAgain(connection: MqttConnection, { refused, ...why }: Refused): false {
  connection.fail(refusalCode(why, ReasonCode.NotAuthorized), refused);
  return false;
}

function breaks(connection: MqttConnection, text: string): false {
  connection.fail(ReasonCode.ProtocolError, text);
  return false;
}
