// Eclipse Paho for Python (Debian: python3-paho-mqtt) against `mess serve` as it starts by itself.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unique, useServer } from "../support/suite.ts";
import { type Ran, run, tool } from "../support/tools.ts";

// Debian's python has the library; another one on the PATH may not
const python = tool("python3", ["/usr/bin"]);
const present = python !== undefined && (await run(python, ["-c", "import paho.mqtt.client"])).code === 0;

const script = `
import json, sys, threading
import paho.mqtt.client as mqtt
options = json.load(sys.stdin)
protocol = mqtt.MQTTv5 if options["version"] == 5 else mqtt.MQTTv311
client = mqtt.Client(options["clientId"], protocol=protocol, transport=options["transport"])
if options["transport"] == "websockets":
    client.ws_set_options(path="/mqtt")
if options.get("username"):
    client.username_pw_set(options["username"], options.get("password"))
if options.get("ca"):
    client.tls_set(options["ca"])
topic, count = options["topic"], options["count"]
received, done = [], threading.Event()
result = {"rc": None}

def on_connect(client, userdata, flags, rc, properties=None):
    result["rc"] = rc if isinstance(rc, int) else rc.value
    if result["rc"] != 0:
        done.set()
        return
    client.subscribe(topic + "/#", 2)

def on_subscribe(client, userdata, mid, granted, properties=None):
    for index in range(count):
        client.publish(topic + "/" + str(index % 3), str(index), qos=index % 3)

def on_message(client, userdata, message):
    received.append([message.topic, message.payload.decode(), message.qos])
    if len(received) == count:
        done.set()

client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
try:
    client.connect("localhost", options["port"])
    client.loop_start()
    done.wait(options.get("wait", 8))
    client.disconnect()
    client.loop_stop()
except Exception as error:
    result["error"] = type(error).__name__
result["received"] = received
print(json.dumps(result))
`;

interface Result {
  rc: number | null;
  error?: string;
  received: [string, string, number][];
}

describe.skipIf(!present)(
  `paho for python${present ? "" : " (not installed: apt-get install python3-paho-mqtt)"}`,
  () => {
    const shared = useServer({ mode: "secure" });

    async function talk(options: Record<string, unknown>): Promise<Result> {
      const { server } = shared;
      const port = options["transport"] === "websockets" ? server.webSocket.port : server.mqtt.port;
      const defaults = {
        clientId: unique("paho"),
        topic: `paho/${unique()}`,
        count: 60,
        port,
        ca: join(server.dataDir, "ca.pem"),
      };
      const ran: Ran = await run(python ?? "", ["-c", script], {
        input: JSON.stringify({ ...defaults, ...options }),
        timeout: 15_000,
      });
      if (ran.stdout === "") throw new Error(ran.stderr);
      return JSON.parse(ran.stdout) as Result;
    }

    const key = (): { username: string; password: string } => ({
      username: shared.server.admin.id,
      password: shared.server.admin.secret,
    });

    for (const version of [4, 5]) {
      for (const transport of ["tcp", "websockets"]) {
        it(`version ${version} over TLS, ${transport}: 60 messages of all QoS arrive in order`, async () => {
          const { rc, received } = await talk({ version, transport, ...key() });
          expect(rc).toBe(0);
          for (const qos of [0, 1, 2]) {
            const own = received.filter((message) => message[2] === qos).map((message) => Number(message[1]));
            expect(own).toEqual(Array.from({ length: 20 }, (_, index) => 3 * index + qos));
          }
        });
      }

      it(`version ${version}: without a key, with a wrong key, without the authority, without TLS: refused`, async () => {
        const { username, password } = key();
        const none = await talk({ version, transport: "tcp" });
        expect(none.rc).toBeGreaterThan(0);
        const wrong = await talk({ version, transport: "tcp", username, password: `${password}x` });
        expect(wrong.rc).toBeGreaterThan(0);
        const untrusted = await talk({
          version,
          transport: "tcp",
          username,
          password,
          ca: "/etc/ssl/certs/ca-certificates.crt",
        });
        expect(untrusted.error).toMatch(/SSL|FileNotFound/);
        const plain = await talk({ version, transport: "tcp", username, password, ca: null, wait: 2 });
        expect(plain.rc).not.toBe(0);
        expect([none, wrong, untrusted, plain].flatMap((each) => each.received)).toEqual([]);
      });
    }
  },
);
