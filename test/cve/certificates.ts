/** CONNECT from a client that shows a certificate in TLS. */
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { IssuedCertificate } from "../../packages/broker/src/input/x509-tools.ts";
import { sleep, unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { type Endpoint, frame, opcode, upgrade } from "../support/streams.ts";

function openWith(endpoint: Endpoint, { certificate, key }: IssuedCertificate): Promise<TLSSocket> {
  const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(key).toString("base64")}\n-----END PRIVATE KEY-----\n`;
  const { host, port, ca, from } = endpoint;
  const target = { host, port, ...(ca !== undefined && { ca }), ...(from !== undefined && { localAddress: from }) };
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...target, servername: "localhost", cert: certificate, key: pem });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}

/** Whether CONNACK 0 comes. To be turned away in the handshake is as good as a refusal. */
export async function isLetIn(endpoint: Endpoint, shown: IssuedCertificate, username?: string): Promise<boolean> {
  const socket = await openWith(endpoint, shown).catch(() => undefined);
  if (socket === undefined) return false;
  try {
    const packet = build.connect({ clientId: unique("c"), username });
    const isWebSocket = endpoint.kind === "wss";
    if (isWebSocket) await upgrade(socket, endpoint);
    const heard: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => heard.push(bytes));
    socket.write(isWebSocket ? frame(opcode.binary, packet) : packet);
    for (let waited = 0; waited < 200 && heard.length === 0 && !socket.destroyed; waited += 1) await sleep(10);
    // a frame of the server has two bytes before its content
    const connack = Buffer.concat(heard).subarray(isWebSocket ? 2 : 0);
    return connack[0] === 0x20 && connack[3] === 0;
  } finally {
    socket.destroy();
  }
}
