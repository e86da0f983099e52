import { get } from "node:http";
import { unique } from "../test/support/names.ts";
import { openStream } from "../test/support/streams.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { scratch } from "./support/files.ts";
import { atEachDoor } from "./support/moves.ts";
import { allStartsRefused } from "./support/refused-starts.ts";
import { Tap } from "./support/tap.ts";

const openByDefault = lacks("listens without TLS by default");

export const a12 = attack({
  id: "A12",
  title: "Delivery service: interception",
  threat: "Somebody on the way reads messages, topics or credentials, or a client is led to a door without TLS.",
  mitigation:
    "TLS on every listener; plain text exists only with `--insecure-dev` and on loopback; no key is ever part of a URL.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("a listener on the way", async (arena, door) => {
      const tap = await Tap.on(door.endpoint);
      try {
        const word = unique("MARKER");
        const owner = await arena.principal();
        const client = await arena.connect(owner, { clientId: `${word}id` }, { ...door, endpoint: tap.endpoint });
        client.autoAck = true;
        await client.subscribe({ filter: owner.topic(word), qos: 1 });
        await client.publish({ topic: owner.topic(word), payload: word, qos: 1 });
        await client.message();
        if (tap.heard.length < 100) throw new Error("the tap heard nothing");
        const leaked = [word, owner.secret || word].filter((each) => tap.heard.includes(each));
        hold(
          leaked.length === 0,
          `in the clear: ${leaked.map((each) => (each === word ? each : "the secret")).join()}`,
        );
      } finally {
        tap.close();
      }
    }),
    { name: "HTTP and WebSocket without TLS on the same ports", run: plainHttp, elsewhere: openByDefault },
    { name: "a plain listener for the network", run: plainListener, elsewhere: openByDefault },
  ],
});

async function plainHttp(arena: Arena): Promise<void> {
  for (const { endpoint } of arena.doors) {
    const { host, port } = endpoint;
    const status = await new Promise<number>((resolve) => {
      const request = get({ host, port, path: "/livez", timeout: 8_000 }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on("error", () => resolve(0));
      request.on("timeout", () => request.destroy());
    });
    hold(status === 0 || status === 308 || status >= 400, `plain HTTP on ${port} is answered ${status}`);
    const events = { bytes: () => undefined, closed: () => undefined };
    const isOpen = await openStream({ kind: "ws", host, port }, events).then(
      (stream) => {
        stream.destroy();
        return true;
      },
      () => false,
    );
    hold(!isOpen, `ws:// is accepted on ${port}`);
  }
}

async function plainListener(): Promise<void> {
  const addresses = ["0.0.0.0", "192.0.2.1", "::"];
  await allStartsRefused(
    addresses.map((address) => ({
      what: `--insecure-dev on ${address}`,
      dataDir: `${scratch()}/data`,
      args: ["--insecure-dev", "--listen", address],
      codes: [78],
    })),
  );
}
