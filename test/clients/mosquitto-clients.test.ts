// Debian's mosquitto_pub and mosquitto_sub against `mess serve` as it starts by itself: TLS, a key, ca.pem.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sleep, unique, useServer } from "../support/suite.ts";
import { type Ran, type RunOptions, run, tool } from "../support/tools.ts";

const pub = tool("mosquitto_pub");
const sub = tool("mosquitto_sub");
const installed = pub !== undefined && sub !== undefined;

describe.skipIf(!installed)(
  `mosquitto_pub and mosquitto_sub${installed ? "" : " (not installed: apt-get install mosquitto-clients)"}`,
  () => {
    const shared = useServer({ mode: "secure" });
    const home = mkdtempSync(join(tmpdir(), "mess-clients-"));
    afterAll(() => rmSync(home, { recursive: true, force: true }));

    /** The tools read options from files of their own, so that no secret stands in a command line. */
    function configuration(username: string | undefined, password: string | undefined): string {
      const directory = join(home, unique("config"));
      mkdirSync(directory, { recursive: true });
      const lines = [username === undefined ? "" : `-u ${username}`, password === undefined ? "" : `-P ${password}`];
      for (const name of ["mosquitto_pub", "mosquitto_sub"])
        writeFileSync(join(directory, name), `${lines.filter(Boolean).join("\n")}\n`, { mode: 0o600 });
      return directory;
    }

    const admin = (): string => configuration(shared.server.admin.id, shared.server.admin.secret);

    function call(
      command: string | undefined,
      config: string,
      args: readonly string[],
      options: RunOptions = {},
    ): Promise<Ran> {
      const ca = ["--cafile", join(shared.server.dataDir, "ca.pem")];
      const where = ["-h", "localhost", "-p", String(shared.server.mqtt.port)];
      return run(command ?? "", [...where, ...ca, ...args], { ...options, env: { XDG_CONFIG_HOME: config } });
    }

    /** mosquitto_sub does not tell a pipe when it is subscribed, so publish until it has what it waits for. */
    async function until(waiting: Promise<Ran>, publish: () => Promise<void>): Promise<void> {
      let ended = false;
      void waiting.then(() => {
        ended = true;
      });
      while (!ended) {
        await publish();
        await sleep(100);
      }
    }

    for (const version of ["mqttv311", "mqttv5"]) {
      for (const qos of ["0", "1", "2"]) {
        it(`${version} QoS ${qos}: what is published arrives`, async () => {
          const topic = `clients/${unique()}`;
          const config = admin();
          const waiting = call(sub, config, [
            "-V",
            version,
            "-q",
            qos,
            "-t",
            `${topic}/#`,
            "-C",
            "1",
            "-W",
            "10",
            "-v",
          ]);
          await until(waiting, async () => {
            expect((await call(pub, config, ["-V", version, "-q", qos, "-t", `${topic}/a`, "-m", "hello"])).code).toBe(
              0,
            );
          });
          expect(await waiting).toMatchObject({ code: 0, stdout: `${topic}/a hello\n` });
        });
      }

      it(`${version}: a persistent subscriber gets what came while it was away, and a retained message`, async () => {
        const topic = `clients/${unique()}`;
        const config = admin();
        const session = ["-V", version, "-i", unique("mosq"), "-c", ...(version === "mqttv5" ? ["-x", "600"] : [])];
        const first = await call(sub, config, [...session, "-q", "1", "-t", topic, "-E"]);
        expect(first.code).toBe(0);
        for (const payload of ["one", "two"])
          expect((await call(pub, config, ["-V", version, "-q", "1", "-t", topic, "-m", payload])).code).toBe(0);
        const second = await call(sub, config, [...session, "-q", "1", "-t", topic, "-C", "2", "-W", "10"]);
        expect(second.stdout).toBe("one\ntwo\n");
        await call(pub, config, ["-V", version, "-q", "1", "-t", topic, "-m", "kept", "-r"]);
        const third = await call(sub, config, ["-V", version, "-t", topic, "-C", "1", "-W", "10"]);
        expect(third.stdout).toBe("kept\n");
      });

      it(`${version}: without a key, with a wrong key, and without TLS nothing gets in`, async () => {
        const { id, secret } = shared.server.admin;
        const wrong = secret.startsWith("A") ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
        const message = ["-V", version, "-q", "1", "-t", "clients/refused", "-m", "x"];
        for (const config of [
          configuration(undefined, undefined),
          configuration(id, wrong),
          configuration("admin", "admin"),
        ]) {
          const refused = await call(pub, config, message);
          expect(refused.code).not.toBe(0);
          expect(refused.stderr).toMatch(/not authori|bad user name/i);
        }
        const plain = await run(pub ?? "", ["-h", "localhost", "-p", String(shared.server.mqtt.port), ...message], {
          env: { XDG_CONFIG_HOME: admin() },
          timeout: 8_000,
        });
        expect(plain.code).not.toBe(0);
      });
    }

    it("a payload of 500 KiB arrives byte for byte", async () => {
      const topic = `clients/${unique()}`;
      const config = admin();
      const payload = "0123456789abcdef".repeat(32_000);
      expect((await call(pub, config, ["-q", "1", "-r", "-t", topic, "-s"], { input: payload })).code).toBe(0);
      const received = await call(sub, config, ["-t", topic, "-C", "1", "-W", "10", "-N"]);
      expect(received.stdout === payload).toBe(true);
    });

    it("mqttv5 properties arrive, and a shared subscription works", async () => {
      const topic = `clients/${unique()}`;
      const config = admin();
      const format = ["-F", "%t %P %C %R %D %p"];
      const waiting = call(sub, config, [
        "-V",
        "5",
        "-q",
        "1",
        "-t",
        `$share/g/${topic}`,
        "-C",
        "1",
        "-W",
        "10",
        ...format,
      ]);
      const properties = ["content-type", "text/plain", "response-topic", "back/here", "correlation-data", "c1"];
      const args = [0, 2, 4].flatMap((at) => ["-D", "publish", properties[at] ?? "", properties[at + 1] ?? ""]);
      await until(waiting, async () => {
        const all = [
          "-V",
          "5",
          "-q",
          "1",
          "-t",
          topic,
          "-m",
          "hello",
          ...args,
          "-D",
          "publish",
          "user-property",
          "a",
          "b",
        ];
        expect((await call(pub, config, all)).code).toBe(0);
      });
      expect((await waiting).stdout).toBe(`${topic} a:b text/plain back/here c1 hello\n`);
    });
  },
);
