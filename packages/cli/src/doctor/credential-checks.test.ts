import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHttp } from "../fake-http.test-data.ts";
import type { Target } from "../target/target.ts";
import { checkCredentials } from "./credential-checks.ts";
import type { Finding } from "./finding.ts";

const day = 86_400_000;
const now = 1_700_000_000_000;
let server: FakeHttp;

beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

function check(httpUrl: string | undefined = server.url): Promise<readonly Finding[]> {
  const target = { url: "mqtts://127.0.0.1:1", httpUrl, ca: undefined, key: { id: "k_1", secret: "hidden" } };
  const { signal } = new AbortController();
  return checkCredentials({ env: {}, directory: "/d", local: undefined, target: target as Target, now, signal });
}

function key(id: string, expiresAt?: number, replacedBy?: string): object {
  return { id, principal: "shop", name: "shop", createdAt: 0, expiresAt, replacedBy };
}

describe("keys.expiry", () => {
  it("warns of keys that end soon and have no successor, the first to end first", async () => {
    const keys = [
      key("k_1"),
      key("k_2", now + 15 * day),
      key("k_3", now + 13 * day),
      key("k_4", now + day),
      key("k_5", now + day, "k_6"),
    ];
    server.answer = () => ({ body: { keys } });
    expect(await check()).toEqual([
      {
        id: "keys.expiry",
        status: "warn",
        text: "the key k_4 of shop ends at 2023-11-15 22:13 UTC",
        fix: "mess key rotate k_4",
      },
      expect.objectContaining({ fix: "mess key rotate k_3" }),
    ]);
    server.answer = () => ({ body: { keys: keys.slice(0, 2) } });
    expect(await check()).toMatchObject([{ status: "ok" }]);
  });

  it("shows ten, and how many more there are", async () => {
    server.answer = () => ({ body: { keys: Array.from({ length: 13 }, (_, index) => key(`k_${index}`, now)) } });
    const findings = await check();
    expect(findings).toHaveLength(11);
    expect(findings.at(-1)?.text).toBe("3 more keys end soon");
  });

  it("says nothing where others see to keys, and where no server is", async () => {
    server.answer = () => ({ status: 403, body: { type: "urn:mess:problem:forbidden", status: 403 } });
    expect(await check()).toEqual([]);
    expect(await check("http://127.0.0.1:1")).toEqual([]);
    server.answer = () => ({ status: 500, body: {} });
    expect(await check()).toMatchObject([{ status: "warn" }]);
  });
});
