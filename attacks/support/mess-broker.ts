/** mess as it runs by itself: TLS on every door, keys for everybody. */
import { adminKeyOf, ask } from "../../test/support/ask.ts";
import { mess } from "../../test/support/cli.ts";
import { Server } from "../../test/support/server.ts";
import type { Broker, BrokerOptions, Door } from "./broker.ts";
import { roles } from "./roles.ts";

export async function startMess(options: BrokerOptions = {}): Promise<Broker> {
  const server = await Server.start({ ...options, mode: "secure" });
  // not by --policy-file, which would take the principals of a later moment away at each start
  const key = adminKeyOf(server);
  const { status, text } = await ask(server, "/v1/policy", { method: "PUT", key, body: { roles } });
  if (status !== 200) throw new Error(`the policy of the arena is refused: ${status} ${text}`);
  return asBroker(server);
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
    second: async () => {
      const args = ["serve", "--data", server.dataDir, "--mqtt-port", "0", "--http-port", "0"];
      const { code, stdout } = await mess(args, { timeout: 8_000 });
      return stdout.includes("ready") ? "running" : code;
    },
    remove: () => server.remove(),
  };
}
