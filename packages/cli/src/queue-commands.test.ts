/** Topics, subscriptions, dead letters, delayed messages and batches over HTTP, against a small server. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHttp, type Seen } from "./fake-http.test-data.ts";
import { withDirectory } from "./test-io.test-data.ts";

let server: FakeHttp;

beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

const mess: FakeHttp["mess"] = (words, options) => server.mess(words, options);

const notFound = { status: 404, body: { title: "There is no such thing", detail: "it is not declared" } };

describe("topic", () => {
  const orders = {
    filter: "orders/#",
    settings: { owner: "shop", retention: "7d", maxMessageSize: "256KiB", schema: { type: "object" } },
    declaredBy: "admin",
    declaredAt: "2026-01-31T12:00:00.000Z",
  };

  it("lists what is declared as a table and as JSON lines", async () => {
    server.answer = () => ({ body: { topics: [orders, { filter: "logs/+", settings: {}, declaredBy: "ops" }] } });
    expect((await mess(["topic", "ls"])).out).toBe(
      "FILTER    OWNER  RETENTION  MAX SIZE  KEY  SCHEMA\n" +
        "orders/#  shop   7d         256KiB         yes\n" +
        "logs/+    ops\n",
    );
    expect((await mess(["topic", "list", "--json"])).out.split("\n")[0]).toBe(JSON.stringify(orders));
    server.answer = () => ({ body: { topics: [] } });
    expect(await mess(["topic", "ls"])).toEqual({ code: 0, out: "", err: "no topics are declared\n" });
  });

  it("shows one", async () => {
    server.answer = () => ({ body: orders });
    const { out } = await mess(["topic", "describe", "orders/#"]);
    expect(server.seen[0]?.url).toBe("/v1/topics/orders%2F%23");
    expect(out).toContain("retention       7d\n");
    expect(out).toContain("declared        by admin at 2026-01-31T12:00:00.000Z\n");
    expect(out).toContain('schema\n{\n  "type": "object"\n}\n');
    server.answer = () => notFound;
    expect(await mess(["topic", "describe", "x"])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/it is not declared\n.*mess topic ls/u),
    });
  });

  it("declares one, in the words of the policy file", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "order.json"), '{"type":"object"}');
      await writeFile(join(cwd, "bad.json"), "{");
      server.answer = ({ method }) => (method === "GET" ? notFound : { status: 201, body: { filter: "orders/#" } });
      const words = [
        "topic",
        "create",
        "orders/#",
        "--owner",
        "shop",
        "--retention-age",
        "7d",
        "--retention-size",
        "1GiB",
      ];
      const more = ["--max-message-size", "256KiB", "--schema", "order.json", "--key", "orders/{id}/#"];
      more.push("--rate-messages", "1000", "--rate-bytes", "1MiB");
      expect(await mess([...words, ...more], { cwd })).toEqual({ code: 0, out: "", err: '"orders/#" is declared\n' });
      expect(server.seen.at(-1)).toMatchObject({
        method: "PUT",
        url: "/v1/topics/orders%2F%23",
        body: {
          owner: "shop",
          retention: { age: "7d", bytes: 1_073_741_824 },
          maxMessageSize: 262_144,
          schema: { type: "object" },
          key: "orders/{id}/#",
          rate: { messages: "1000/s", bytes: "1048576/s" },
        },
      });
      expect(await mess([...words, "--schema", "bad.json"], { cwd })).toMatchObject({
        code: 64,
        err: expect.stringContaining("bad.json is not JSON"),
      });
    }));

  it("replaces one only when told to", async () => {
    server.answer = () => ({ body: orders });
    expect(await mess(["topic", "create", "orders/#"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("--replace"),
    });
    expect(server.seen.map(({ method }) => method)).toEqual(["GET"]);
    expect(await mess(["topic", "create", "orders/#", "--replace"])).toMatchObject({ code: 0 });
    expect(server.seen.at(-1)?.method).toBe("PUT");
  });

  it("takes one back, and asks first", async () => {
    expect(await mess(["topic", "delete", "orders/#"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("--yes"),
    });
    expect(server.seen).toEqual([]);
    expect(await mess(["topic", "rm", "orders/#", "--yes", "--json"])).toMatchObject({
      code: 0,
      out: '{"filter":"orders/#","deleted":true}\n',
    });
    expect(server.seen).toMatchObject([{ method: "DELETE", url: "/v1/topics/orders%2F%23" }]);
  });
});

const billing = {
  name: "billing",
  settings: { filters: ["orders/+/created"], ordering: "key", ackWait: "30s", backoff: ["1s", "5m"], where: {} },
  declaredBy: "admin",
  declaredAt: "2026-01-31T12:00:00.000Z",
  consumers: 2,
  ready: 1400,
  leased: 2,
  retrying: 0,
  blocked: 3,
  dead: 1,
  exact: false,
  oldestOffset: 4711,
};

describe("subscription", () => {
  it("lists them over all pages", async () => {
    const pages = [
      { subscriptions: [billing], next: "c/2" },
      { subscriptions: [{ ...billing, name: "audit", exact: true, oldestOffset: undefined }] },
    ];
    server.answer = ({ url }) => ({ body: pages[url?.includes("cursor=c%2F2") === true ? 1 : 0] });
    expect((await mess(["subscription", "ls"])).out).toBe(
      "NAME     FILTERS           ORDERING  CONSUMERS   READY  LEASED  RETRYING  DEAD  OLDEST\n" +
        "billing  orders/+/created  key               2  ≤1,400       2         0     1    4711\n" +
        "audit    orders/+/created  key               2   1,400       2         0     1\n",
    );
    const { out } = await mess(["subscription", "ls", "--json", "--limit", "1"]);
    expect(out).toBe(`${JSON.stringify(billing)}\n`);
  });

  it("shows one", async () => {
    server.answer = () => ({ body: billing });
    const { out } = await mess(["subscription", "describe", "billing"]);
    expect(out).toContain("backoff    1s, 5m\n");
    expect(out).toContain("ready      ≤1,400\n");
    expect(out).toContain("oldest     offset 4711\n");
    expect(out).not.toContain("where");
  });

  it("declares one with what was given, and nothing else", async () => {
    server.answer = ({ method }) => (method === "GET" ? notFound : { status: 201 });
    const words = ["subscription", "create", "billing", "-f", "orders/#", "--filter", "users/#", "--ordering", "key"];
    const times = ["--ack-wait", "90s", "--max-deliveries", "8", "--backoff", "500ms,5m", "--expiry", "30d"];
    const others = [
      "--start",
      "4711",
      "--where",
      "region=eu",
      "--where",
      "__proto__=x",
      "--max-bytes",
      "1MiB",
      "--priorities",
    ];
    expect(await mess([...words, ...times, ...others])).toMatchObject({ code: 0 });
    expect(server.seen.at(-1)?.url).toBe("/v1/subscriptions/billing");
    expect(JSON.stringify(server.seen.at(-1)?.body)).toBe(
      '{"filters":["orders/#","users/#"],"ordering":"key","maxDeliveries":8,"priorities":true,' +
        '"where":{"region":"eu","__proto__":"x"},"maxBytes":1048576,"ackWait":"90s","backoff":["500ms","5m"],' +
        '"expiry":"30d","start":4711}',
    );
    expect(await mess(["subscription", "create", "b", "-f", "x"])).toMatchObject({ code: 0 });
    expect(server.seen.at(-1)?.body).toEqual({ filters: ["x"] });
  });

  it.each([
    [["subscription", "create", "b"], /--filter/u],
    [["subscription", "create", "b", "-f", "x", "--ordering", "none"], /shared, exclusive, key/u],
    [["subscription", "create", "b", "-f", "x", "--backoff", "1s"], /not two durations/u],
    [["subscription", "create", "b", "-f", "x", "--ack-wait", "soon"], /not a duration/u],
    [["subscription", "create", "b", "-f", "x", "--start", "yesterday"], /-1h/u],
    [["subscription", "create", "b", "-f", "x", "--where", "eu"], /not name=value/u],
    [["subscription", "reset", "b"], /--to/u],
    [["subscription", "pull", "b", "--nack", "--reject"], /cannot be used with/u],
    [["dead", "redrive", "b"], /--offset, --reason and --all/u],
    [["dead", "purge", "b", "--all", "--reason", "x"], /--offset, --reason and --all/u],
    [["dead", "show", "b", "x"], /whole number/u],
    [["delayed", "cancel", "-1"], /whole number/u],
  ])("exits 64 for %j before anything is asked", async (words, message) => {
    const { code, out, err } = await mess(words);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(message);
    expect(server.seen).toEqual([]);
  });

  it("deletes one, and says how when something waits in it", async () => {
    server.answer = ({ url }) =>
      url?.endsWith("?force=true") === true
        ? { status: 204 }
        : { status: 409, body: { title: "Conflict", detail: "3 messages wait" } };
    expect(await mess(["subscription", "delete", "billing", "--yes"])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/3 messages wait\n.*--force/u),
    });
    expect(await mess(["subscription", "delete", "billing", "--yes", "--force"])).toMatchObject({ code: 0 });
  });

  it("sets its position: an offset as a number, so long ago as a time", async () => {
    server.answer = () => ({ body: billing });
    expect(await mess(["subscription", "reset", "billing", "--to", "4711", "--yes"])).toMatchObject({
      code: 0,
      err: "billing reads on from 4711: ≤1,400 ready\n",
    });
    expect(server.seen.at(-1)).toMatchObject({
      method: "POST",
      url: "/v1/subscriptions/billing/reset",
      body: { to: 4711 },
    });
    const before = Date.now() - 3_600_000;
    await mess(["subscription", "reset", "billing", "--to", "-1h", "--yes"]);
    const { to = "" } = (server.seen.at(-1)?.body ?? {}) as { to?: string };
    expect(Date.parse(to)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(to)).toBeLessThanOrEqual(Date.now() - 3_600_000);
  });
});

describe("subscription pull", () => {
  const message = (n: number): object => ({
    token: `t${n}`,
    attempt: 1,
    leaseExpiresAt: "2026-01-31T12:00:30.000Z",
    offset: n,
    topic: "orders/1/created",
    publisher: "shop",
    time: "2026-01-31T12:00:00.000Z",
    headers: {},
    payload: `{"n":${n}}`,
  });
  const supply = (total: number): void => {
    let next = 1;
    server.answer = ({ url, body }) => {
      if (url?.endsWith("/pull") !== true) {
        const { tokens } = body as { tokens: string[] };
        return { body: { results: tokens.map((token) => ({ token, result: token === "t7" ? "gone" : "done" })) } };
      }
      const wanted = (body as { max: number }).max;
      const messages: object[] = [];
      while (messages.length < wanted && next <= total) messages.push(message(next++));
      return { body: { messages } };
    };
  };
  const asked = (verb: string): readonly Seen[] =>
    server.seen.filter(({ url }) => url === `/v1/subscriptions/billing/${verb}`);

  it("prints messages and acknowledges them after", async () => {
    supply(150);
    const { code, out, err } = await mess(["subscription", "pull", "billing", "--limit", "120", "--verbose"]);
    expect(code).toBe(0);
    expect(out.split("\n").slice(0, 2)).toEqual(['orders/1/created {"n":1}', 'orders/1/created {"n":2}']);
    expect(out.trimEnd().split("\n")).toHaveLength(120);
    expect(asked("ack").flatMap(({ body }) => (body as { tokens: string[] }).tokens)).toHaveLength(120);
    expect(err).toBe("1 of 100 could not be settled: their leases are gone, and they come again\n");
    // Each batch is settled before the next one is taken.
    expect(server.seen.map(({ url }) => url?.split("/").at(-1))).toEqual(["pull", "ack", "pull", "ack"]);
  });

  it("prints objects, with the token only where it is still good", async () => {
    supply(2);
    const { out } = await mess(["subscription", "pull", "billing", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ offset: 1, payload: { n: 1 }, encoding: "json", attempt: 1 });
    expect(JSON.parse(out)).not.toHaveProperty("token");
    const kept = await mess(["subscription", "pull", "billing", "--json", "--no-ack"]);
    expect(JSON.parse(kept.out)).toMatchObject({ offset: 2, token: "t2" });
    expect(asked("ack")).toHaveLength(1);
  });

  it.each([
    ["--nack", "nack"],
    ["--reject", "reject"],
  ])("%s settles with %s", async (flag, verb) => {
    supply(1);
    await mess(["subscription", "pull", "billing", flag]);
    expect(asked(verb)).toMatchObject([{ body: { tokens: ["t1"] } }]);
  });

  it("ends with nothing when nothing waits", async () => {
    supply(0);
    expect(await mess(["subscription", "pull", "billing", "--limit", "5"])).toEqual({ code: 0, out: "", err: "" });
    expect(asked("pull")).toHaveLength(1);
  });
});

describe("dead", () => {
  const letter = (offset: number, reason: string): Record<string, unknown> => ({
    offset,
    topic: "$mess/dead/billing",
    publisher: "shop",
    time: new Date(Date.now() - 130_000).toISOString(),
    key: "c1",
    headers: { a: ["1", "2"], "b\u001b": "x" },
    payload: '{"id":7}\u001b[2J',
    dead: { reason, attempts: 8, topic: "orders/1/created", offset: 41 },
  });
  const letters = [letter(88, "ECONNREFUSED ledger.example"), letter(91, "schema\u001b[2J")];

  it("lists them, all or by reason", async () => {
    server.answer = () => ({ body: { messages: letters } });
    expect((await mess(["dead", "ls", "billing"])).out).toBe(
      "OFFSET  TOPIC             ATTEMPTS  REASON                       AGE\n" +
        "    88  orders/1/created         8  ECONNREFUSED ledger.example   2m\n" +
        "    91  orders/1/created         8  schema\\x1b[2J                 2m\n",
    );
    expect(server.seen[0]?.url).toBe("/v1/subscriptions/billing/dead?limit=100");
    const { out } = await mess(["dead", "ls", "billing", "--reason", "ECONN", "--json"]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).offset),
    ).toEqual([88]);
    expect((await mess(["dead", "ls", "billing", "--reason", "none"])).err).toBe(
      "billing has no dead letters with this reason\n",
    );
  });

  it("shows one with everything", async () => {
    server.answer = ({ url }) => (url?.endsWith("/88") === true ? { body: letters[0] } : notFound);
    const { out } = await mess(["dead", "show", "billing", "88"]);
    expect(out).toContain("reason        ECONNREFUSED ledger.example\n");
    expect(out).toContain("published at  offset 41\n");
    expect(out).toContain("header a      1, 2\n");
    expect(out).toContain("header b\\x1b");
    // To a pipe the payload goes as it is.
    expect(out).toContain('\n\n{"id":7}\u001b[2J\n');
    expect(await mess(["dead", "show", "billing", "90"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("mess dead ls billing"),
    });
  });

  it("redrives by reason until what was there at first is done, and not what fails again meanwhile", async () => {
    let asked = 0;
    server.answer = () => {
      asked += 1;
      // The consumers fail at once: there is always something left.
      return { body: { done: 1000, remaining: asked === 1 ? 1500 : 1000 } };
    };
    const run = await mess(["dead", "redrive", "billing", "--reason", "ECONNREFUSED", "--yes"]);
    expect(run).toEqual({ code: 0, out: "redriven 3,000\n", err: "" });
    expect(asked).toBe(3);
    expect(server.seen[0]).toMatchObject({
      method: "POST",
      url: "/v1/subscriptions/billing/dead/redrive",
      body: { reason: "ECONNREFUSED" },
    });
  });

  it("purges the ones that are named, or all", async () => {
    server.answer = () => ({ body: { done: 2, remaining: 0 } });
    expect(
      await mess(["dead", "purge", "billing", "--offset", "88", "--offset", "91", "--yes", "--json"]),
    ).toMatchObject({
      out: '{"done":2,"remaining":0}\n',
    });
    expect(server.seen.at(-1)).toMatchObject({
      url: "/v1/subscriptions/billing/dead/purge",
      body: { offsets: [88, 91] },
    });
    await mess(["dead", "purge", "billing", "--all", "--yes"]);
    expect(server.seen.at(-1)?.body).toEqual({ all: true });
  });

  it("says how many before it asks", async () => {
    server.answer = ({ url }) => ({
      body: url?.includes("/dead") === true ? { messages: letters } : { ...billing, dead: 31 },
    });
    expect((await mess(["dead", "purge", "billing", "--all"])).err).toContain("purge 31 messages needs a confirmation");
    expect((await mess(["dead", "redrive", "billing", "--reason", "ECONN"])).err).toContain("redrive 1 message needs");
    expect(server.seen.every(({ method }) => method === "GET")).toBe(true);
  });
});

describe("delayed", () => {
  it("lists them with the time they are due", async () => {
    const dueAt = new Date(Date.now() + 3_700_000);
    const one = { offset: 4711, topic: "mail/send", publisher: "shop", dueAt: dueAt.toISOString(), bytes: 2048 };
    server.answer = () => ({ body: { messages: [one] } });
    const { out } = await mess(["delayed", "ls"]);
    const due = dueAt.toISOString().slice(0, 19).replace("T", " ");
    expect(out.split("\n")[1]).toBe(`  4711  mail/send  ${due}  1h  2.0 KiB  shop`);
    expect((await mess(["delayed", "ls", "--json"])).out).toBe(`${JSON.stringify(one)}\n`);
  });

  it("cancels one", async () => {
    expect(await mess(["delayed", "cancel", "4711", "--yes"])).toMatchObject({ code: 0 });
    expect(server.seen).toMatchObject([{ method: "DELETE", url: "/v1/delayed/4711" }]);
    server.answer = () => notFound;
    expect(await mess(["delayed", "cancel", "4711", "--yes"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("delivered already"),
    });
  });
});

describe("pub --atomic", () => {
  const stored = (count: number): string =>
    Array.from(
      { length: count },
      (_, i) => `${JSON.stringify({ offset: 7 + i, duplicate: i === 1, topic: "t", matched: true })}\n`,
    ).join("");

  it("sends all of stdin in one request, each line as it stands", async () => {
    server.answer = () => ({ status: 201, body: stored(3) });
    const stdin = '{"topic":"a","json":{"n":1.10}}\n\n{"payload":"x","id":"own"}\n{ }\n';
    const { code, out } = await mess(["pub", "t", "--batch", "--atomic", "--id", "run"], { stdin });
    expect({ code, out }).toEqual({
      code: 0,
      out: "durable 3 messages, all at once, from offset 7, 1 published before\n",
    });
    expect(server.seen).toMatchObject([{ method: "POST", url: "/v1/batch" }]);
    expect(server.seen[0]?.body).toBe(
      '{"id":"run:1","topic":"a","json":{"n":1.10}}\n{"topic":"t","payload":"x","id":"own"}\n{"id":"run:4","topic":"t"}\n',
    );
  });

  it("takes payloads a line too, whatever they hold", async () => {
    server.answer = () => ({ status: 201, body: stored(2) });
    const stdin = Buffer.from([0xff, 0x0a, 0x7b, 0x0a]);
    const words = ["pub", "t", "--lines", "--atomic", "--key", "k", "--expiry", "1m", "-H", "a=1", "-H", "a=2"];
    await mess([...words, "-H", "b=3"], { stdin });
    const lines = String(server.seen[0]?.body).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { topic: "t", payloadBase64: "/w==", key: "k", expiry: 60, headers: { a: ["1", "2"], b: ["3"] } },
      { topic: "t", payloadBase64: "ew==", key: "k", expiry: 60, headers: { a: ["1", "2"], b: ["3"] } },
    ]);
  });

  it("names every line that the server refuses", async () => {
    const errors = [
      { line: 2, path: "topic", message: "holds a wildcard" },
      { line: 3, path: "", message: "too large" },
    ];
    server.answer = () => ({
      status: 422,
      body: { title: "Not valid", detail: "line 2: topic: holds a wildcard", errors },
    });
    expect(await mess(["pub", "t", "--batch", "--atomic"], { stdin: '{"payload":"x"}\n' })).toEqual({
      code: 64,
      out: "",
      err: "mess: Not valid: line 2: topic: holds a wildcard\n      and line 3: too large\n",
    });
  });

  it("refuses more than one step takes, and nothing at all", async () => {
    const many = '{"payload":"x"}\n'.repeat(1001);
    expect(await mess(["pub", "t", "--batch", "--atomic"], { stdin: many })).toMatchObject({
      code: 64,
      err: expect.stringContaining("leave out --atomic"),
    });
    expect(await mess(["pub", "t", "--batch", "--atomic"])).toMatchObject({ code: 64 });
    expect(server.seen).toEqual([]);
  });
});
