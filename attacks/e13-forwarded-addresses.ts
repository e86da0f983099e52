import { sleep, unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor } from "./support/moves.ts";

const claimed = "198.51.100.7";
const headers = {
  "x-forwarded-for": claimed,
  "x-real-ip": claimed,
  forwarded: `for=${claimed};proto=https;host=trusted.example`,
  "x-forwarded-proto": "http",
  "x-client-ip": claimed,
};

export const e13 = attack({
  id: "E13",
  title: "Trust in forwarded addresses",
  threat:
    "A header or a line in front of the connection says who the client is, and throttles, rights or the audit trail believe it.",
  mitigation: "The address of the socket alone counts; a PROXY line is no MQTT and no HTTP, and ends the connection.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "addresses in headers reach the audit trail",
      run: inTheTrail,
      elsewhere: hasNone("has no HTTP API by default"),
    },
    atEachDoor("a PROXY line in front of CONNECT", async (arena, door) => {
      const client = await arena.open(door);
      client.send(Buffer.from(`PROXY TCP4 ${claimed} 127.0.0.1 1000 1883\r\n`));
      const outcome = await client.closed(4_000).catch(() => undefined);
      hold(outcome !== undefined, "a PROXY line is waited behind");
      hold(!outcome.packets.some(({ name, code }) => name === "CONNACK" && code === 0), "a PROXY line is read");
    }),
  ],
});

async function inTheTrail(arena: Arena): Promise<void> {
  const seen = await arena.observe();
  const authorization = `Bearer k_${unique("x")}.wrong`;
  const { status } = await arena.ask(undefined, "/v1/whoami", { headers: { ...headers, authorization } });
  hold(status === 401, `a wrong key with forwarded headers is answered ${status}`);
  for (let waited = 0; waited < 40 && seen.events("auth.fail").length === 0; waited += 1) await sleep(50);
  const told = seen.events("auth.fail").map((event) => JSON.stringify(event));
  if (told.length === 0) throw new Error("the failure is in no record");
  hold(
    told.some((text) => text.includes(arena.address)),
    `the record has another address: ${told.join()}`,
  );
  hold(!seen.text().includes(claimed), "the claimed address is in the record");
}
