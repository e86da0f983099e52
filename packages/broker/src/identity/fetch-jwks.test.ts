/** An address of keys that answers, hangs, lies, or is somebody else's. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testCertificates } from "../../../client/src/test-certificates.test-data.ts";
import { fetchJwks } from "./fetch-jwks.ts";

let server: Server;
let ca: string;
let seen: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  const made = await testCertificates(["127.0.0.1"]);
  ca = made.ca;
  seen = [];
  server = createServer({ key: made.key, cert: made.cert }, (request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const url = (): string => `https://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;

describe("fetchJwks", () => {
  it("gets the text, with no credential of ours", async () => {
    answer = (_, response) => response.end('{"keys":[]}');
    expect(await fetchJwks(url(), ca)).toBe('{"keys":[]}');
    expect(seen[0]?.url).toBe("/jwks.json");
    for (const name of ["authorization", "cookie", "user-agent"]) expect(seen[0]?.headers[name]).toBeUndefined();
  });

  it("trusts nobody but the authority it was given", async () => {
    answer = (_, response) => response.end("{}");
    await expect(fetchJwks(url())).rejects.toThrow(/certificate/);
    await expect(fetchJwks(url().replace("127.0.0.1", "localhost"), ca)).rejects.toThrow();
    expect(seen).toEqual([]);
  });

  it("follows no redirect, and takes no other answer", async () => {
    for (const status of [301, 302, 307, 204, 206, 404, 500]) {
      answer = (_, response) => response.writeHead(status, { location: url() }).end();
      await expect(fetchJwks(url(), ca)).rejects.toThrow(`HTTP ${status}`);
    }
    expect(seen).toHaveLength(7);
  });

  it("stops at the bound, though more is on its way without end", async () => {
    let sent = 0;
    answer = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(" ".repeat(65_536))) sent += 65_536;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    await expect(fetchJwks(url(), ca)).rejects.toThrow("larger than");
    expect(sent).toBeLessThan(16 * 1_024 * 1_024);
  });

  it("waits five seconds for an answer that does not come, and no longer", { timeout: 10_000 }, async () => {
    answer = (_, response) => void response.write("{");
    const began = performance.now();
    await expect(fetchJwks(url(), ca)).rejects.toThrow("no whole answer");
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  it("rejects when nobody is there, or the answer breaks off", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      setTimeout(() => response.destroy(), 20);
    };
    await expect(fetchJwks(url(), ca)).rejects.toThrow();
    await expect(fetchJwks("https://127.0.0.1:1/", ca)).rejects.toThrow(/ECONNREFUSED/);
  });
});
