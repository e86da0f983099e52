// The HTTP API with curl against `mess serve` as it starts by itself: TLS, a key, ca.pem. First the examples of
// docs/http.md as the page has them, then what a worker in a shell script relies on.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "../support/server.ts";
import { sleep, unique } from "../support/suite.ts";
import { run, tool } from "../support/tools.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/http.md", import.meta.url)), "utf8");
const installed = tool("curl") !== undefined;
const ndjson = "Content-Type: application/x-ndjson";
const json = "Content-Type: application/json";

const policy = {
  roles: {
    worker: {
      allow: [{ consume: "jobs" }, { subscribe: "jobs/#" }, { publish: "jobs/#" }],
      deny: [{ publish: "jobs/secret/#" }],
    },
  },
  principals: { worker: { roles: ["worker"] } },
  topics: {
    "typed/#": {
      maxMessageSize: "1KiB",
      schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
    },
  },
  subscriptions: {
    jobs: { filters: ["jobs/#"], maxDeliveries: 2, backoff: ["50ms", "100ms"] },
    tiny: { filters: ["tiny/#"], maxMessages: 2 },
  },
};

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

describe.skipIf(!installed)(`curl${installed ? "" : " (not installed: apt-get install curl)"}`, () => {
  let server: Server;
  const home = mkdtempSync(join(tmpdir(), "mess-curl-"));
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    server = await Server.start({ mode: "secure" });
    symlinkSync(server.dataDir, join(home, "mess-data"));
    keyFile("admin", server.admin);
    const applied = await post("/v1/policy", policy, { args: ["-X", "PUT"] });
    expect(applied.json, applied.text).toMatchObject({ applied: true });
  }, 30_000);
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });
  afterAll(async () => {
    await server?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  /** curl reads the key from a file: a command line can be read by everybody on the machine. */
  function keyFile(name: string, { id, secret }: { id: string; secret: string }): void {
    mkdirSync(join(home, "keys"), { recursive: true });
    writeFileSync(join(home, "keys", name), `Authorization: Bearer ${id}.${secret}\n`, { mode: 0o600 });
  }

  function args(path: string, key: string, more: readonly string[]): string[] {
    const common = [
      "--silent",
      "--show-error",
      "--cacert",
      join(server.dataDir, "ca.pem"),
      "--header",
      `@${join(home, "keys", key)}`,
    ];
    return [...common, ...more, `${server.httpUrl}${path}`];
  }

  interface Call {
    readonly key?: string;
    readonly args?: readonly string[];
    readonly input?: string;
  }

  async function curl(path: string, call: Call = {}): Promise<Answer> {
    const form = ["--write-out", "\n%{http_code}\n%{header_json}"];
    const { stdout } = await run("curl", args(path, call.key ?? "admin", [...form, ...(call.args ?? [])]), {
      ...(call.input !== undefined && { input: call.input }),
    });
    const [, text = "", status = "", head = "{}"] = /^([\s\S]*)\n(\d{3})\n(\{[\s\S]*\})\s*$/.exec(stdout) ?? [];
    const headers = JSON.parse(head) as Record<string, string[]>;
    let read: Record<string, unknown> = {};
    try {
      read = JSON.parse(text) as Record<string, unknown>;
    } catch {
      // Text, or nothing.
    }
    return { status: Number(status), headers, text, json: read };
  }

  const post = (path: string, body: unknown, call: Call = {}): Promise<Answer> =>
    curl(path, {
      ...call,
      args: ["-H", json, "-d", typeof body === "string" ? body : JSON.stringify(body), ...(call.args ?? [])],
    });

  const publish = (topic: string, body: string, query = "", call: Call = {}): Promise<Answer> =>
    curl(`/v1/messages?topic=${encodeURIComponent(topic)}${query}`, {
      ...call,
      args: ["-H", "Content-Type: text/plain", "--data-binary", body, ...(call.args ?? [])],
    });

  type Leased = Record<string, unknown> & { token: string; offset: number; payload: string };
  async function pull(name: string, body: object = {}, key = "admin"): Promise<Leased[]> {
    const {
      status,
      json: answer,
      text,
    } = await post(`/v1/subscriptions/${name}/pull`, { waitMs: 5_000, ...body }, { key });
    expect(status, text).toBe(200);
    return answer["messages"] as Leased[];
  }

  async function declare(settings: object): Promise<string> {
    const name = unique("s");
    const body = { filters: [`${name}/#`], ...settings };
    const answer = await post(`/v1/subscriptions/${name}`, body, { args: ["-X", "PUT"] });
    expect(answer.status, answer.text).toBe(201);
    return name;
  }

  /** A curl that goes on: what it printed so far grows. */
  function follow(
    path: string,
    key = "admin",
    more: readonly string[] = [],
  ): { text: string; child: ChildProcess; ended: boolean } {
    const child = spawn("curl", args(path, key, ["--no-buffer", ...more]), { stdio: ["ignore", "pipe", "ignore"] });
    children.push(child);
    const result = { text: "", child, ended: false };
    child.stdout.on("data", (bytes: Buffer) => (result.text += bytes.toString()));
    child.once("close", () => (result.ended = true));
    return result;
  }

  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`timed out waiting for ${condition}`);
      await sleep(20);
    }
  }

  it("runs every example of docs/http.md, in their order", async () => {
    const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
    expect(blocks.length).toBeGreaterThanOrEqual(6);
    // The port is the only thing that differs from what the reader has.
    const port = new URL(server.httpUrl).port;
    const script = ["set -eo pipefail", ...blocks.map((text) => text.replaceAll(":8443", `:${port}`))].join("\n");
    const ran = await run("bash", ["-c", script], { cwd: home, timeout: 30_000 });
    expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(0);
    expect(ran.stdout).toContain('"result":"done"');
    expect(ran.stdout).toMatch(/^id: \d+$/m);
  });

  it("a message goes from publish to pull to ack, as it was, and is gone", async () => {
    const name = await declare({ ordering: "key" });
    const published = await publish(`${name}/a`, "héllo", "&key=k1&priority=7", {
      args: ["-H", "Mess-Header-Tenant: eu"],
    });
    expect(published).toMatchObject({ status: 201, json: { duplicate: false, topic: `${name}/a`, matched: true } });
    const [message, ...others] = await pull(name, { max: 5 });
    expect(others).toEqual([]);
    expect(message).toMatchObject({
      offset: published.json["offset"],
      attempt: 1,
      topic: `${name}/a`,
      publisher: "admin",
      key: "k1",
      priority: 7,
      contentType: "text/plain",
      headers: { tenant: "eu" },
      payload: "héllo",
    });
    const body = { tokens: [message?.token] };
    expect((await post(`/v1/subscriptions/${name}/ack`, body)).json).toEqual({
      results: [{ token: message?.token, result: "done" }],
    });
    expect(await post(`/v1/subscriptions/${name}/ack`, body)).toMatchObject({
      status: 410,
      json: { type: "urn:mess:problem:lease-gone" },
    });
    expect(await pull(name, { waitMs: 0 })).toEqual([]);
    expect((await curl(`/v1/subscriptions/${name}`)).json).toMatchObject({ ready: 0, leased: 0, dead: 0 });
  });

  it("a repeat of an id is not stored, over a restart and a kill too", async () => {
    const name = await declare({});
    const first = await publish(`${name}/a`, "once", "", { args: ["-H", "Idempotency-Key: order-7"] });
    await server.kill();
    await server.start();
    const again = await publish(`${name}/a`, "once", "&id=order-7");
    expect(again.json).toEqual({ ...first.json, duplicate: true });
    expect(await pull(name, { max: 5 })).toHaveLength(1);
  });

  it("nacks come back until they are dead letters, which are shown, redriven, purged", async () => {
    const topic = `jobs/${unique()}`;
    await publish(topic, "bad", "&key=k");
    const [first] = await pull("jobs");
    const nack = (token: string | undefined): Promise<Answer> =>
      post("/v1/subscriptions/jobs/nack", { items: [{ token, reason: "no such customer" }] });
    expect((await nack(first?.token)).json).toMatchObject({ results: [{ result: "done" }] });
    const [second] = await pull("jobs");
    expect(second).toMatchObject({ attempt: 2, offset: first?.offset });
    expect((await nack(second?.token)).json).toMatchObject({ results: [{ result: "dead" }] });
    const dead = (await curl("/v1/subscriptions/jobs/dead")).json["messages"] as Leased[];
    expect(dead).toMatchObject([{ payload: "bad", dead: { attempts: 2, topic, offset: first?.offset } }]);
    expect(JSON.stringify(dead[0]?.["dead"])).toContain("no such customer");
    expect((await curl(`/v1/subscriptions/jobs/dead/${dead[0]?.offset}`)).json).toEqual(dead[0]);
    expect((await post("/v1/subscriptions/jobs/dead/redrive", { offsets: [dead[0]?.offset] })).json).toEqual({
      done: 1,
      remaining: 0,
    });
    const [third] = await pull("jobs");
    expect(third).toMatchObject({ payload: "bad", attempt: 1, key: "k" });
    expect((await post("/v1/subscriptions/jobs/reject", { tokens: [third?.token], reason: "again" })).status).toBe(200);
    expect((await post("/v1/subscriptions/jobs/dead/purge", { all: true })).json).toEqual({ done: 1, remaining: 0 });
    expect((await curl("/v1/subscriptions/jobs/dead")).json).toEqual({ messages: [] });
  });

  it("a batch is stored whole or not at all", async () => {
    const name = await declare({});
    const lines = (topics: string[]): string => topics.map((topic) => `{"topic":"${topic}","json":{"n":1}}\n`).join("");
    const send = (input: string): Promise<Answer> =>
      curl("/v1/batch", { args: ["-H", ndjson, "--data-binary", "@-"], input });
    const refused = await send(lines([`${name}/a`, "$SYS/x", `${name}/b`]));
    expect(refused).toMatchObject({ status: 403, json: { errors: [{ line: 2 }] } });
    expect(await pull(name, { waitMs: 0 })).toEqual([]);
    const stored = await send(lines([`${name}/a`, `${name}/b`]));
    expect(stored.status).toBe(201);
    expect(stored.text.trim().split("\n")).toHaveLength(2);
    expect((await pull(name)).map(({ topic }) => topic)).toEqual([`${name}/a`, `${name}/b`]);
  });

  it("a pull waits for what comes, and a client that went away loses nothing", async () => {
    const name = await declare({});
    const waiting = pull(name, { waitMs: 10_000 });
    await sleep(200);
    await publish(`${name}/a`, "1");
    const [message] = await waiting;
    expect(message?.payload).toBe("1");
    expect((await post(`/v1/subscriptions/${name}/release`, { tokens: [message?.token] })).status).toBe(200);
    // Killed while it waits: what comes then is for the next one.
    const [again] = await pull(name);
    expect(again).toMatchObject({ payload: "1", attempt: 1 });
    await post(`/v1/subscriptions/${name}/ack`, { tokens: [again?.token] });
    const gone = follow(`/v1/subscriptions/${name}/pull`, "admin", ["-H", json, "-d", '{"waitMs":20000}']);
    await until(async () => (await curl(`/v1/subscriptions/${name}`)).json["consumers"] === 1);
    gone.child.kill("SIGKILL");
    await until(async () => (await curl(`/v1/subscriptions/${name}`)).json["consumers"] === 0);
    await publish(`${name}/a`, "2");
    expect(await pull(name)).toMatchObject([{ payload: "2", attempt: 1 }]);
  });

  it("an expired lease goes to the next, and the late acknowledgement is told so; extend keeps it", async () => {
    const name = await declare({ ackWait: "700ms", backoff: ["1ms", "1ms"] });
    await publish(`${name}/a`, "x");
    const [late] = await pull(name);
    const [next] = await pull(name);
    expect(next).toMatchObject({ offset: late?.offset, attempt: 2 });
    expect((await post(`/v1/subscriptions/${name}/ack`, { tokens: [late?.token] })).status).toBe(410);
    expect((await post(`/v1/subscriptions/${name}/extend`, { tokens: [next?.token], for: "1m" })).status).toBe(200);
    await sleep(1_000);
    expect(await pull(name, { waitMs: 0 })).toEqual([]);
    expect((await post(`/v1/subscriptions/${name}/ack`, { tokens: [next?.token] })).status).toBe(200);
  });

  it("delayed messages are listed, cancelled, and come when they are due", async () => {
    const name = await declare({});
    const far = await publish(`${name}/far`, "far", "&delay=PT1H");
    await publish(`${name}/soon`, "soon", "&delay=300");
    const listed = (await curl("/v1/delayed")).json["messages"] as { offset: number; topic: string }[];
    expect(listed.map(({ topic }) => topic)).toContain(`${name}/far`);
    expect(await pull(name, { waitMs: 0 })).toEqual([]);
    expect(await pull(name)).toMatchObject([{ payload: "soon" }]);
    expect((await curl(`/v1/delayed/${far.json["offset"] as number}`, { args: ["-X", "DELETE"] })).status).toBe(204);
    expect((await curl(`/v1/delayed/${far.json["offset"] as number}`, { args: ["-X", "DELETE"] })).status).toBe(404);
  });

  it("an event stream goes on behind Last-Event-ID, without loss or repeat", async () => {
    const name = unique("e");
    const ids = ({ text }: { text: string }): number[] =>
      [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    const path = `/v1/events?filter=${name}%2F%23`;
    const first = follow(path);
    await until(() => first.text.includes("retry:"));
    // Something has to keep what nobody reads meanwhile.
    await post(`/v1/topics/${name}%2F%23`, { retention: "1h" }, { args: ["-X", "PUT"] });
    for (let n = 1; n <= 3; n++) await publish(`${name}/a`, `m${n}`);
    await until(() => ids(first).length === 3);
    first.child.kill("SIGKILL");
    for (let n = 4; n <= 6; n++) await publish(`${name}/a`, `m${n}`);
    const second = follow(path, "admin", ["-H", `Last-Event-ID: ${ids(first).at(-1)}`]);
    await until(() => ids(second).length === 3);
    await publish(`${name}/a`, "m7");
    await until(() => ids(second).length === 4);
    const payloads = [...`${first.text}${second.text}`.matchAll(/"payload":"(m\d)"/g)].map(([, payload]) => payload);
    expect(payloads).toEqual(["m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
    const replay = follow(`${path}&from=earliest`);
    await until(() => ids(replay).length === 7);
    const browsed = await curl(`/v1/messages?filter=${name}%2F%23&limit=4`);
    expect((browsed.json["messages"] as Leased[]).map(({ payload }) => payload)).toEqual(["m1", "m2", "m3", "m4"]);
    const rest = await curl(`/v1/messages?filter=${name}%2F%23&cursor=${browsed.json["next"] as string}`);
    expect((rest.json["messages"] as Leased[]).map(({ payload }) => payload)).toEqual(["m5", "m6", "m7"]);
  });

  it("an event stream of a subscription leases, and gives back when it ends", async () => {
    const name = await declare({});
    const stream = follow(`/v1/subscriptions/${name}/events?credit=2`);
    await until(() => stream.text.includes("retry:"));
    for (const payload of ["1", "2", "3"]) await publish(`${name}/a`, payload);
    const events = (): Leased[] =>
      [...stream.text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data) as Leased);
    await until(() => events().length === 2);
    await sleep(100);
    expect(events().map(({ payload }) => payload)).toEqual(["1", "2"]);
    await post(`/v1/subscriptions/${name}/ack`, { tokens: [events()[0]?.token] });
    await until(() => events().length === 3);
    stream.child.kill("SIGKILL");
    await until(async () => (await curl(`/v1/subscriptions/${name}`)).json["consumers"] === 0);
    const left = await pull(name);
    expect(left.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      ["2", 1],
      ["3", 1],
    ]);
  });

  it("schema, size and quota are refused with their problem", async () => {
    expect((await post("/v1/messages?topic=typed/a", '{"n":1}')).status).toBe(201);
    const wrong = await post("/v1/messages?topic=typed/a", '{"n":"x"}');
    expect(wrong).toMatchObject({
      status: 422,
      json: { type: "urn:mess:problem:schema-violation", errors: [{ path: "/n" }] },
    });
    const large = await post("/v1/messages?topic=typed/a", `{"n":1,"x":"${"x".repeat(2_000)}"}`);
    expect(large).toMatchObject({ status: 413, json: { type: "urn:mess:problem:too-large" } });
    expect(large.text).toContain("1024");
    for (let n = 0; n < 2; n++) expect((await publish("tiny/a", "x")).status).toBe(201);
    const full = await publish("tiny/a", "x");
    expect(full).toMatchObject({ status: 507, json: { type: "urn:mess:problem:quota-exceeded" } });
    expect(full.text).toContain("tiny");
    expect(Number(full.headers["retry-after"]?.[0])).toBeGreaterThan(0);
  });

  it("a principal may what it was granted, on every path, and a revoked key ends its streams", async () => {
    const made = await post("/v1/keys", { name: "worker", roles: [] });
    expect(made.status).toBe(201);
    keyFile("worker", made.json as { id: string; secret: string });
    const as = { key: "worker" };
    expect((await publish("jobs/a", "x", "", as)).status).toBe(201);
    expect(await publish("jobs/secret/a", "x", "", as)).toMatchObject({
      status: 403,
      json: { detail: 'publish on "jobs/secret/a" is needed' },
    });
    expect((await publish("other", "x", "", as)).status).toBe(403);
    expect((await publish("jobs/a", "x", "&retain", as)).status).toBe(403);
    const [message] = await pull("jobs", {}, "worker");
    expect(message?.payload).toBe("x");
    expect((await post("/v1/subscriptions/jobs/ack", { tokens: [message?.token] })).status).toBe(403);
    expect((await post("/v1/subscriptions/jobs/ack", { tokens: [message?.token] }, as)).status).toBe(200);
    expect((await post("/v1/subscriptions/tiny/pull", {}, as)).status).toBe(403);
    expect((await curl("/v1/subscriptions/tiny", as)).status).toBe(404);
    expect((await curl("/v1/subscriptions", as)).json).toMatchObject({ subscriptions: [{ name: "jobs" }] });
    expect((await post("/v1/subscriptions/mine", { filters: ["jobs/#"] }, { ...as, args: ["-X", "PUT"] })).status).toBe(
      403,
    );
    expect((await post("/v1/topics/a", {}, { ...as, args: ["-X", "PUT"] })).status).toBe(403);
    expect((await curl("/v1/events?filter=%23", as)).status).toBe(403);
    expect((await curl("/v1/messages?filter=other", as)).json).toEqual({ messages: [] });
    expect((await curl("/v1/policy", as)).status).toBe(403);
    const topics = follow("/v1/events?filter=jobs%2F%23", "worker");
    const leases = follow("/v1/subscriptions/jobs/events", "worker");
    await until(() => topics.text.includes("retry:") && leases.text.includes("retry:"));
    expect((await curl(`/v1/keys/${made.json["id"] as string}`, { args: ["-X", "DELETE"] })).status).toBe(204);
    await until(() => topics.ended && leases.ended);
    expect(topics.text).toContain("event: end");
    expect(leases.text).toContain("event: end");
    expect((await publish("jobs/a", "x", "", as)).status).toBe(401);
  });

  it("the policy holds what is declared, and what is read can be written back", async () => {
    const shown = await curl("/v1/policy");
    expect(shown.json).toMatchObject({
      subscriptions: { jobs: { filters: ["jobs/#"], maxDeliveries: 2 } },
      topics: { "typed/#": {} },
    });
    const written = await post("/v1/policy", shown.text, { args: ["-X", "PUT"] });
    expect(written).toMatchObject({ status: 200, json: { lines: [], applied: false } });
    expect((await curl("/openapi.json")).json).toMatchObject({ openapi: "3.1.0" });
  });

  it("a shutdown answers those who wait", async () => {
    const name = await declare({});
    const waiting = post(`/v1/subscriptions/${name}/pull`, { waitMs: 20_000 });
    const stream = follow("/v1/events?filter=none");
    await until(() => stream.text.includes("retry:"));
    await until(async () => (await curl(`/v1/subscriptions/${name}`)).json["consumers"] === 1);
    const began = Date.now();
    expect((await server.stop()).code).toBe(0);
    expect(Date.now() - began).toBeLessThan(5_000);
    expect((await waiting).status).toBe(503);
    expect(stream.text).toContain("shutting-down");
    await server.start();
  });
});
