// Who may connect: MQTT 5.0 sections 3.1.4 and 4.12, THREATS A15 and C1, on a server as `mess serve` starts by itself.
import { connect as connectTcp } from "node:net";
import { beforeAll, describe, expect } from "vitest";
import { createKey } from "../support/cli.ts";
import { exchange } from "../support/exchange.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { beginLogin, logIn, proofFor, scramPlus, setPassword } from "../support/scram-login.ts";
import { bothVersions, statement, topic, unique, useServer, will } from "../support/suite.ts";
import { target } from "../support/target.ts";

describe.skipIf(target !== "mess")("a server with its defaults", () => {
  const shared = useServer({ mode: "secure" });
  const credentials = (): { username: string; password: string } => {
    const { id, secret } = shared.server.admin;
    return { username: id, password: secret };
  };
  const flip = (text: string): string => `${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`;

  for (const transport of ["mqtt", "webSocket"] as const) {
    const named = transport === "mqtt" ? "TLS" : "WebSocket over TLS";

    bothVersions(`[MQTT-3.1.4-5] the admin key opens the door over ${named}`, async (version) => {
      const client = await RawClient.connect(shared.server[transport], {
        version,
        clientId: unique("c"),
        ...credentials(),
      });
      const name = topic();
      await client.subscribe({ filter: name, qos: 2 });
      await client.publish({ topic: name, payload: "hello", qos: 2 });
      expect((await client.message()).payload.toString()).toBe("hello");
    });

    bothVersions(
      `[MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT311-3.2.2-5] without a key, or with a wrong one, CONNECT is refused over ${named}`,
      async (version) => {
        const { username, password } = credentials();
        const wrong: build.ConnectFields[] = [
          {},
          { username },
          { username, password: "" },
          { username, password: flip(password) },
          { username, password: password.slice(0, -1) },
          { username: flip(username), password },
          { username: "", password },
          { username: "admin", password: "admin" },
          { username: "guest", password: "guest" },
          { username: password, password: username },
          { username: "x".repeat(10_000), password },
        ];
        if (version === 5) wrong.push({ password });
        for (const fields of wrong) {
          const client = await RawClient.open(shared.server[transport], version);
          client.send(build.connect({ version, clientId: unique("c"), ...fields }));
          const connack = await client.refused([0x86, 0x87, 0x95], { mustTell: true });
          if (version === 4) expect([4, 5]).toContain(connack?.code);
        }
      },
    );
  }

  bothVersions(
    "[MQTT-3.1.4-6] [MQTT311-3.1.4-5] nothing that is sent behind a refused CONNECT has an effect, and its will is not kept",
    async (version) => {
      const name = topic();
      const witness = await RawClient.connect(shared.server.mqtt, { version, clientId: unique("c"), ...credentials() });
      await witness.subscribe(name);
      const client = await RawClient.open(shared.server.mqtt, version);
      client.send(
        build.connect({ version, clientId: unique("c"), username: "x", password: "y", will: will(name, "will") }),
        build.publish({ version, topic: name, payload: "smuggled", retain: true }),
        build.subscribe({ version, filters: ["#"] }),
      );
      await client.refused([0x86, 0x87], { mustTell: true });
      await witness.ping();
      await witness.expectNothing(200);
      await witness.subscribe(name);
      await witness.ping();
      await witness.expectNothing(60);
    },
  );

  statement("[MQTT-3.1.4-2] plain MQTT and plain HTTP on the secure ports get no word of MQTT", async () => {
    const { host, port } = shared.server.mqtt;
    const plain = await exchange({ kind: "tcp", host, port }, build.connect({ clientId: "x", ...credentials() }));
    expect(plain.closed).toBe(true);
    // a TLS alert record at most
    expect([undefined, 0x15]).toContain(plain.answer[0]);
    const web = shared.server.webSocket;
    const answer = await exchange(
      { kind: "tcp", host: web.host, port: web.port },
      Buffer.from("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    expect(answer.answer.toString("latin1")).not.toContain("101");
    expect(answer.closed).toBe(true);
  });

  statement("[MQTT-3.1.4-2] a server whose certificate the client cannot trust is not spoken to", async () => {
    const { host, port } = shared.server.mqtt;
    await expect(RawClient.open({ kind: "tls", host, port })).rejects.toThrow();
  });

  statement(
    "[MQTT-4.12.0-1] an unknown authentication method is refused with 0x8C also before a key is looked at",
    async () => {
      const client = await RawClient.open(shared.server.mqtt);
      client.send(build.connect({ clientId: unique("c"), properties: { authenticationMethod: "GSSAPI" } }));
      await client.refused([0x8c], { mustTell: true });
    },
  );

  describe("with a password, by SCRAM-SHA-256", () => {
    const wish = { username: "", password: "correct horse battery" };
    beforeAll(async () => {
      wish.username = unique("p");
      await createKey(shared.server, wish.username, "admin");
      await setPassword(shared.server, wish.username, wish.password);
    }, 30_000);

    statement(
      "[MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] the server asks by AUTH 0x18; each AUTH and CONNACK name the method",
      async () => {
        const login = await beginLogin(shared.server.mqtt, wish);
        expect([login.asked.code, login.asked.properties.authenticationMethod]).toEqual([0x18, scramPlus]);
        login.client.send(proofFor(login));
        const connack = await login.client.next("CONNACK");
        expect([connack.code, connack.properties.authenticationMethod]).toEqual([0, scramPlus]);
      },
    );

    statement("[MQTT-4.12.0-4] a failed authentication is a CONNACK with an error, then the end", async () => {
      const { client } = await logIn(shared.server.mqtt, { ...wish, password: "wrong horse battery" });
      await client.refused([0x86, 0x87], { mustTell: true });
    });

    statement(
      "[MQTT-3.1.2-30] [MQTT-3.1.4-6] [MQTT-3.2.0-1] what comes before the end of the authentication but AUTH and DISCONNECT is refused",
      async () => {
        const name = topic();
        const witness = await RawClient.connect(shared.server.mqtt, { clientId: unique("c"), ...credentials() });
        await witness.subscribe(name);
        const early: Buffer[] = [
          build.publish({ topic: name, payload: "early" }),
          build.subscribe({ filters: ["#"] }),
          build.pingreq(),
          build.auth(0x19, { authenticationMethod: scramPlus }),
          build.auth(0x18, { authenticationMethod: "SCRAM-SHA-256" }),
        ];
        for (const bytes of early) {
          const login = await beginLogin(shared.server.mqtt, wish);
          login.client.send(bytes, proofFor(login));
          await login.client.refused([0x82], { mustTell: true });
        }
        await witness.ping();
        await witness.expectNothing(60);
      },
    );

    statement(
      "[MQTT-4.12.1-1] [MQTT-4.12.1-2] a re-authentication by another method, out of turn, or without proof ends the connection",
      async () => {
        const of = (authenticationMethod: string): Buffer =>
          build.auth(0x19, { authenticationMethod, authenticationData: Buffer.from("n,,n=x,r=y") });
        const ends: [Buffer, number[]][] = [
          [of("SCRAM-SHA-256"), [0x82]],
          [of("GSSAPI"), [0x82]],
          [build.auth(0x18, { authenticationMethod: scramPlus }), [0x82]],
          [of(scramPlus), [0x87]],
        ];
        for (const [bytes, codes] of ends) {
          const { client } = await logIn(shared.server.mqtt, wish);
          expect((await client.next("CONNACK")).code).toBe(0);
          client.send(bytes);
          await client.refused(codes, { mustTell: true });
        }
      },
    );
  });

  statement(
    "[MQTT-3.1.4-2] a connection that never says TLS or CONNECT is closed when its deadline has passed",
    async () => {
      const { host, port } = shared.server.mqtt;
      const socket = connectTcp({ host, port });
      const began = performance.now();
      await new Promise((resolve) => {
        socket.once("close", resolve);
        socket.once("error", resolve);
      });
      const took = performance.now() - began;
      expect(took).toBeGreaterThan(4_000);
      expect(took).toBeLessThan(7_000);
    },
  );

  statement("[MQTT-3.1.4-2] no secret stands in what the process prints", async () => {
    const { secret } = shared.server.admin;
    expect(shared.server.stdout + shared.server.stderr).not.toContain(secret);
  });
});
