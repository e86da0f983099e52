/** Logins with a password, packet by packet. */
import type { TLSSocket } from "node:tls";
import { type ClientWish, TestScramClient } from "../../packages/broker/src/identity/scram-client.test-data.ts";
import { messAt } from "./cli.ts";
import type { Packet } from "./decoder.ts";
import * as build from "./packets.ts";
import { type ConnectOptions, RawClient } from "./raw-client.ts";
import type { Server } from "./server.ts";
import type { Endpoint } from "./streams.ts";
import { unique } from "./suite.ts";

export const scram = "SCRAM-SHA-256";
export const scramPlus = "SCRAM-SHA-256-PLUS";

export async function setPassword(server: Server, principal: string, password: string): Promise<void> {
  const words = ["password", "set", principal, "--iterations", "15000"];
  const ran = await messAt(server, words, { input: `${password}\n` });
  if (ran.code !== 0) throw new Error(ran.stderr);
}

export interface LoginWish extends Partial<ClientWish> {
  readonly username: string;
  readonly password: string;
  /** Bound to the channel by default. */
  readonly method?: string;
  readonly connect?: ConnectOptions;
}

export interface Login {
  readonly client: RawClient;
  readonly scram: TestScramClient;
  readonly method: string;
  /** AUTH from the server. */
  readonly asked: Packet;
}

/** A client that has sent CONNECT and was asked for a proof. */
export async function beginLogin(endpoint: Endpoint, wish: LoginWish): Promise<Login> {
  const client = await RawClient.open(endpoint);
  const { method = scramPlus, connect = {}, ...rest } = wish;
  const channel = method === scramPlus ? { header: "p=tls-exporter,,", binding: bindingOf(client) } : {};
  const login = new TestScramClient({ nonce: "fyko", ...channel, ...rest });
  const properties = { authenticationMethod: method, authenticationData: login.first };
  client.send(build.connect({ clientId: unique("c"), ...connect, properties }));
  return { client, scram: login, method, asked: await client.next("AUTH") };
}

/** AUTH with the proof that was asked for. */
export function proofFor({ scram: login, method, asked }: Login): Buffer {
  return build.auth(0x18, { authenticationMethod: method, authenticationData: login.final(dataOf(asked)) });
}

/** A client that has given its proof; what comes then is the test's to see. */
export async function logIn(endpoint: Endpoint, wish: LoginWish): Promise<Login> {
  const login = await beginLogin(endpoint, wish);
  login.client.send(proofFor(login));
  return login;
}

/** The keying material of a client's TLS connection (RFC 9266). */
export function bindingOf(client: RawClient): Buffer {
  const socket = client.stream.socket as TLSSocket;
  return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
}

/** Authentication Data. */
export function dataOf({ properties }: Packet): Buffer {
  return Buffer.from((properties.authenticationData as Uint8Array | undefined) ?? []);
}
