import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { atEachDoor, cutOff } from "./support/moves.ts";
import { rawHttp, upgradeRequest } from "./support/raw-http.ts";

/** PROXY protocol: version 1 as a line, version 2 as bytes, both saying that the client is 10.0.0.1. */
const proxyHeaders: readonly Buffer[] = [
  Buffer.from("PROXY TCP4 10.0.0.1 10.0.0.2 1000 8883\r\n"),
  Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a21110000", "hex").subarray(0, 14),
    Buffer.from([0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 3, 232, 34, 179]),
  ]),
];

const trusts = lacks("trusts whoever is on this machine: anonymous is allowed on loopback");

export const c02 = attack({
  id: "C2",
  title: "Reliance on network security",
  threat:
    "Being on the same machine or network is taken for a credential; a page in a browser, a header or a proxy line makes a stranger look like somebody near.",
  mitigation:
    "Loopback is not trusted; Host and Origin must be names of this server; no forwarded address is believed; throttles count the address of the socket.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("from this machine, without a credential", async (arena, door) => {
      const { connack } = await arena.attempt({ credentials: {} }, {}, door);
      hold(connack?.code !== 0, "loopback is trusted");
    }),
    { name: "a name of the attacker that leads here (DNS rebinding)", run: rebinding, elsewhere: trusts },
    { name: "a page of another site that connects or writes", run: crossSite, elsewhere: trusts },
    { name: "an address that is only claimed", run: claimedAddress, elsewhere: trusts },
  ],
});

async function rebinding(arena: Arena): Promise<void> {
  const { httpUrl } = arena.server;
  const port = new URL(httpUrl).port;
  for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "", "localhost@evil.example"]) {
    const { status } = await rawHttp(arena, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    hold(status === 421 || status === 400 || status === 403, `Host: ${host} is answered ${status}`);
    const upgraded = await rawHttp(arena, upgradeRequest(host));
    hold(upgraded.status !== 101, `a WebSocket with Host: ${host} is opened`);
  }
}

async function crossSite(arena: Arena): Promise<void> {
  const { host, port } = new URL(arena.server.httpUrl);
  for (const header of ["Origin: https://evil.example", "Origin: null", `Origin: http://localhost:${port}0`]) {
    const upgraded = await rawHttp(arena, upgradeRequest(host, header));
    hold(upgraded.status === 403, `a WebSocket with ${header} is answered ${upgraded.status}`);
  }
  const owner = await arena.principal();
  const path = `/v1/messages?topic=${encodeURIComponent(owner.topic("x"))}`;
  for (const headers of [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { origin: "null", "content-type": "text/plain" },
  ]) {
    const { status } = await arena.ask(owner, path, { method: "POST", body: "x", headers: headers as never });
    hold(status === 403, `a publish with ${JSON.stringify(headers)} is answered ${status}`);
  }
}

async function claimedAddress(arena: Arena): Promise<void> {
  for (const door of arena.doors) {
    for (const header of proxyHeaders) {
      const client = await arena.open({ ...door, endpoint: { ...door.endpoint } });
      client.send(header);
      await cutOff(arena, client, { otherwise: "a PROXY header is read" });
    }
  }
  // the throttle counts the socket, whatever a header says
  const from = "127.0.9.9";
  let last = 0;
  for (let count = 0; count < 130 && last !== 429; count += 1) {
    const claimed = `10.1.${count}.1`;
    const headers = { authorization: "Bearer k_x.y", "x-forwarded-for": claimed, forwarded: `for=${claimed}` };
    last = (await arena.ask(undefined, "/v1/whoami", { headers, from })).status;
  }
  hold(last === 429, "a claimed address gets tries of its own");
}
