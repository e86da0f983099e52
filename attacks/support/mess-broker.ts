/** mess as it runs by itself: TLS on every door, keys for everybody. */
import { Server } from "../../test/support/server.ts";
import type { Broker, BrokerOptions, Door } from "./broker.ts";
import { arenaPolicy } from "./roles.ts";

export async function startMess(options: BrokerOptions = {}): Promise<Broker> {
  const args = [...arenaPolicy(), ...(options.args ?? [])];
  return asBroker(await Server.start({ ...options, mode: "secure", args }));
}

function asBroker(server: Server): Broker {
  return {
    name: "mess",
    version: 5,
    mess: server,
    get doors(): readonly Door[] {
      return [
        { name: "tcp", endpoint: server.mqtt },
        { name: "websocket", endpoint: server.webSocket },
      ];
    },
    get pid() {
      return server.pid;
    },
    dataDir: server.dataDir,
    get output() {
      return server.stderr;
    },
    kill: () => server.kill(),
    stop: async () => void (await server.stop()),
    start: () => server.start(),
    remove: () => server.remove(),
  };
}
