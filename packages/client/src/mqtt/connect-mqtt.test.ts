import { X509Certificate } from "node:crypto";
import net from "node:net";
import { PacketType } from "@mess/wire";
import { afterEach, describe, expect, it } from "vitest";
import { testCertificates } from "../test-certificates.test-data.ts";
import { TestServer, type TestServerOptions } from "../test-server.test-data.ts";
import type { OpenTransport } from "../transport/transport.ts";
import { connectMqtt, type MqttConnectOptions } from "./connect-mqtt.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function serve(options: TestServerOptions = {}): Promise<{ server: TestServer; url: string }> {
  const server = new TestServer(options);
  closing.push(() => server.close());
  return { server, url: await server.listen() };
}

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("connect", () => {
  it("fails with the server's reason", async () => {
    const { url } = await serve({
      connack: () => ({ sessionPresent: false, reasonCode: 0x86, properties: { reasonString: "no such key" } }),
    });
    const refused = connectMqtt(url, { keyId: "k", secret: "s" });
    await expect(refused).rejects.toMatchObject({
      code: "NOT_AUTHORIZED",
      reasonCode: 0x86,
      reason: "no such key",
      message: /no such key/u,
    });
  });

  it("understands the return codes of 3.1.1", async () => {
    const { url } = await serve({ connack: () => ({ sessionPresent: false, reasonCode: 0x87 }) });
    await expect(connectMqtt(url, { version: 4 })).rejects.toMatchObject({ code: "NOT_AUTHORIZED", reasonCode: 0x87 });
  });

  it("says when nothing listens", async () => {
    await expect(connectMqtt(`mqtt://127.0.0.1:${await closedPort()}`)).rejects.toMatchObject({
      code: "UNREACHABLE",
      retryable: true,
      hint: /nothing listens/u,
    });
  });

  it("gives up at its deadline, and by its signal", async () => {
    const { url } = await serve({ intercept: () => true });
    await expect(connectMqtt(url, { connectTimeout: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(connectMqtt(url, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: "ABORTED" });
    await expect(connectMqtt(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("says when the server closes without a word", async () => {
    const { url } = await serve({
      intercept: (_packet, { socket }) => {
        socket.end();
        return true;
      },
    });
    await expect(connectMqtt(url)).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: /before it answered CONNECT/u,
    });
  });

  it("takes a PUBLISH before CONNACK for what it is", async () => {
    const { url } = await serve({
      intercept: (_packet, connection) => {
        connection.send({
          type: PacketType.PUBLISH,
          topic: "t",
          payload: Buffer.alloc(0),
          qos: 0,
          retain: false,
          dup: false,
        });
        return true;
      },
    });
    await expect(connectMqtt(url)).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  it("refuses to send credentials in clear to another machine, before it connects", async () => {
    let opened = 0;
    const transport: OpenTransport = () => {
      opened += 1;
      return Promise.reject(new Error("opened"));
    };
    for (const url of ["mqtt://192.0.2.1", "mqtt://user:pass@192.0.2.1", "mqtt://localhost.example"]) {
      const options = url.includes("@") ? { transport } : { transport, keyId: "k", secret: "s" };
      await expect(connectMqtt(url, options)).rejects.toMatchObject({ code: "CLEARTEXT_CREDENTIALS" });
    }
    expect(opened).toBe(0);
    await expect(connectMqtt("mqtt://192.0.2.1", { transport })).rejects.toThrow("opened");
    await expect(
      connectMqtt("mqtt://192.0.2.1", { transport, keyId: "k", insecureCleartextCredentials: true }),
    ).rejects.toThrow("opened");
  });

  it("wants the id of a key with its secret", async () => {
    await expect(connectMqtt("mqtts://localhost", { secret: "s" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("connect over TLS", () => {
  it("trusts the given CA, and only for the names in the certificate", async () => {
    const { ca, key, cert } = await testCertificates(["localhost"]);
    const { url } = await serve({ tls: { key, cert } });
    const client = await connectMqtt(url.replace("127.0.0.1", "localhost"), { ca });
    await client.publish("t", "x");
    await client.disconnect();
    await expect(connectMqtt(url, { ca })).rejects.toMatchObject({
      code: "TLS_FAILED",
      hint: /does not name this host/u,
    });
    await (await connectMqtt(url, { ca, serverName: "localhost" })).disconnect();
  });

  it("shows a client certificate, asked for anew each time where a function gives it", async () => {
    const { ca, key, cert } = await testCertificates(["localhost"]);
    const shown: (string | undefined)[] = [];
    const { url } = await serve({
      tls: { key, cert, requestCert: true, rejectUnauthorized: false },
      onSecure: (socket) => shown.push(socket.getPeerX509Certificate()?.serialNumber),
    });
    const address = url.replace("127.0.0.1", "localhost");
    await (await connectMqtt(address, { ca, cert, key })).disconnect();
    await (await connectMqtt(address, { ca })).disconnect();
    const other = await testCertificates(["client"]);
    const asked = { cert: () => Promise.resolve(other.cert), key: () => Buffer.from(other.key) };
    await (await connectMqtt(address, { ca, ...asked })).disconnect();
    const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;
    expect(shown).toEqual([serialOf(cert), undefined, serialOf(other.cert)]);
  });

  it("says what is wrong with a client certificate before it connects", async () => {
    const [{ cert, key }, other] = [await testCertificates(["a"]), await testCertificates(["b"])];
    for (const [options, message] of [
      [{ cert }, /needs its private key/],
      [{ key }, /needs its private key/],
      [{ cert, key: other.key }, /cannot be used/],
      [{ cert: "-----BEGIN", key }, /cannot be used/],
      [{ cert: () => Promise.reject(new Error("no file")), key }, /no file/],
    ] as [MqttConnectOptions, RegExp][]) {
      const act = connectMqtt("mqtts://127.0.0.1:1", options);
      await expect(act).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    }
    await expect(connectMqtt("mqtt://127.0.0.1:1", { cert, key })).rejects.toThrow(/without TLS/);
  });

  it("refuses another CA, and none", async () => {
    const { key, cert } = await testCertificates(["localhost"]);
    const { ca: other } = await testCertificates(["localhost"]);
    const { url } = await serve({ tls: { key, cert } });
    const address = url.replace("127.0.0.1", "localhost");
    await expect(connectMqtt(address)).rejects.toMatchObject({ code: "TLS_FAILED" });
    await expect(connectMqtt(address, { ca: other })).rejects.toMatchObject({ code: "TLS_FAILED" });
  });

  it("says when the port does not speak TLS, and the other way round", async () => {
    const plain = await serve();
    await expect(connectMqtt(plain.url.replace("mqtt:", "mqtts:"), { connectTimeout: 2000 })).rejects.toMatchObject({
      code: /TLS_FAILED|UNREACHABLE|TIMEOUT/u,
    });
    const { key, cert } = await testCertificates(["localhost"]);
    const secure = await serve({ tls: { key, cert } });
    await expect(connectMqtt(secure.url.replace("mqtts:", "mqtt:"))).rejects.toMatchObject({ hint: /mqtts:\/\//u });
  });
});
