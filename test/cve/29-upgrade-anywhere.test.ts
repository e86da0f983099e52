// LESSONS 29, NATS 2026-27. Elsewhere an upgrade to WebSocket on a path whose feature was switched off reached code that
// had not been set up, and the process ended. Here there is one path; every other is told so.
import { expect, it } from "vitest";
import { rawHttp, upgradeRequest } from "../../attacks/support/raw-http.ts";
import { defaultLimits } from "../../packages/broker/src/config/limits.ts";
import { routesOf } from "../../packages/broker/src/input/doors/http/routes.ts";
import { useField } from "./support.ts";

const field = useField();

it("an upgrade on every path there is, and on some there are not", async () => {
  const { arena } = field;
  const { host } = new URL(arena.server.httpUrl);
  const known = routesOf(defaultLimits).map(({ path }) => path.replaceAll(/:\w+/g, "x"));
  const others = ["/", "/mqtt/", "/MQTT", "//mqtt", "/mqtt/x", "/leafnode", "/ws", "/%6dqtt", "/../mqtt", "*", "/v1"];
  const paths = [...new Set([...known, ...others])].filter((path) => path !== "/mqtt");
  const results = await Promise.all(
    paths.map(async (path) => {
      const request = upgradeRequest(host, "Connection: close").replace("GET /mqtt ", `GET ${path} `);
      return [path, (await rawHttp(arena, request, 3_000)).status] as const;
    }),
  );
  for (const [path, status] of results) {
    expect(status, path).toBeGreaterThanOrEqual(path.endsWith("z") ? 200 : 400);
    expect(status, path).toBeLessThan(500);
  }
  expect((await rawHttp(arena, upgradeRequest(host), 300)).status).toBe(101);
  const wrongs = [
    upgradeRequest(host).replace("Version: 13", "Version: 99"),
    upgradeRequest(host).replace(/Sec-WebSocket-Key.*\r\n/, ""),
    upgradeRequest(host).replace("dGhlIHNhbXBsZSBub25jZQ==", "x"),
    upgradeRequest(host).replace("GET", "POST"),
    upgradeRequest(host).replace("Upgrade: websocket", "Upgrade: h2c"),
  ];
  for (const request of wrongs) {
    const { status } = await rawHttp(arena, request, 1_000);
    expect(status, request.slice(0, 60)).not.toBe(101);
    expect(status, request.slice(0, 60)).toBeLessThan(500);
  }
});
