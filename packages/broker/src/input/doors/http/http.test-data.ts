/** An administrative side in memory and a running HTTP door over it, for the tests. */
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { defaultLimits, type Limits } from "../../../config/limits.ts";
import { CredentialThrottle } from "../../../identity/credential-throttle.ts";
import { type Administration, AdministrationError, type KeyView } from "../../../model/administration.ts";
import type { Authenticator } from "../../../model/authentication.ts";
import type { SignedLog } from "../../../model/log-proofs.ts";
import type { PasswordAdministration, PasswordView } from "../../../model/password.ts";
import type { Action, Policy } from "../../../model/policy.ts";
import { Admission } from "../../admission.ts";
import { Deadlines } from "../../deadlines.ts";
import { countingCounters, nodeTimers } from "../../input.test-data.ts";
import type { Listening } from "../../listener.ts";
import { RateLimiter } from "../../rate-limiter.ts";
import type { ServerTls } from "../../tls.ts";
import type { AcceptTransport } from "../../transport.ts";
import { TestCertificateAdministration } from "./certificates.test-data.ts";
import { HttpCounters } from "./http-counters.ts";
import { startHttp } from "./http-door.ts";
import { TestKeyAdministration } from "./keys.test-data.ts";
import { TestEngine, TestQueueAdministration, TestQueues } from "./queue.test-data.ts";
import { TestSignatures, TestSigningKeys } from "./signing-keys.test-data.ts";

export const adminKey = "admin-key.mess_secret-of-admin";
export const readerKey = "reader-key.mess_secret-of-reader";

interface MemoryAdministration extends Administration {
  readonly audited: { event: string; detail: Readonly<Record<string, string | number>> }[];
  ready: boolean;
  applied: Policy | undefined;
  /** Makes `listKeys` throw, as a mistake of ours would. */
  broken: boolean;
}

function memoryLog(): SignedLog {
  const root = Buffer.alloc(32, 1);
  const path = [Buffer.alloc(32, 2)];
  // A message on the topic `t`.
  const message = Buffer.concat([Buffer.alloc(24), Buffer.from("tpayload")]);
  message[2] = 1;
  return {
    verifierKey: "mess/00+00000000+AQ==",
    head: { size: 2, root },
    checkpoint: () => "mess/00\n2\nroot\n\n\u2014 mess/00 AAAAAAA=\n",
    cosigned: () => "mess/00\n2\nroot\n\n\u2014 mess/00 AAAAAAA=\n\u2014 w AAAAAAA=\n",
    cosign: () => Promise.resolve({ size: 2, witnesses: ["w"] }),
    statistics: () => ({ written: 1, failed: 0, size: 2 }),
    rootAt: () => Promise.resolve(root),
    inclusion(seq, size) {
      if (seq > 9) return Promise.resolve({ ok: false, reason: "unknown", message: `There is no record ${seq}.` });
      if (seq === 9) return Promise.resolve({ ok: false, reason: "busy", message: "Try again." });
      return Promise.resolve({
        ok: true,
        seq,
        frame: { firstSeq: 1, count: 9 },
        index: 0,
        size,
        root,
        leafData: root,
        path,
        ...(seq === 4 && {
          record: { index: 3, count: 9, salt: root.subarray(16), kind: 1, body: message, root, path },
        }),
      });
    },
    consistency: (from, to) => Promise.resolve({ ok: true, from, to, fromRoot: root, toRoot: root, path }),
  };
}

/** `admin` may everything, `reader` nothing. */
function memoryAdministration(): MemoryAdministration {
  const keys = new Map<string, KeyView>();
  const audited: MemoryAdministration["audited"] = [];
  let current: Policy = {
    roles: { writer: { allow: [{ action: "publish", filter: "a/#" }], deny: [{ action: "admin.*", filter: "#" }] } },
    principals: { shop: { roles: ["writer"] } },
  };
  return {
    audited,
    ready: true,
    applied: undefined,
    broken: false,
    authorize: (principal) => principal === "admin",
    createKey(by, name, roles) {
      if (roles.includes("none")) throw new AdministrationError("invalid", "there is no role none");
      if (name === "taken") throw new AdministrationError("conflict", "taken has other roles");
      const id = `key-${keys.size + 1}`;
      keys.set(id, { id, principal: name, name, createdAt: 1 });
      audited.push({ event: "key.create", detail: { by, id } });
      return Promise.resolve({ id, secret: "mess_new", principal: name });
    },
    listKeys() {
      if (this.broken) throw new Error("a mistake that names /etc/secret");
      return [...keys.values()];
    },
    revokeKey(_by, id) {
      if (!keys.delete(id)) return Promise.reject(new AdministrationError("not-found", `there is no key ${id}`));
      return Promise.resolve();
    },
    policy: () => current,
    applyPolicy(_by, policy, dryRun) {
      if (!dryRun) current = policy;
      if (!dryRun) this.applied = policy;
      return Promise.resolve({ lines: ["+ role x"], applied: !dryRun });
    },
    why: (principal, action: Action, topic) => ({ allowed: false, because: `${principal} ${action} ${topic}` }),
    passwords: memoryPasswords(),
    storage: {
      status: () => ({
        dataKey: { id: 1, frames: 7, current: 1, madeAt: 1, keys: 1 },
        kek: "file",
        scrub: { bytes: 1, passes: 1, running: false, endedAt: 1, corrupt: [] },
      }),
      scrub: () => Promise.resolve(),
      rotateDataKey: () => Promise.resolve(2),
      rotateKek: () => Promise.resolve({ source: "/key", kept: "/key.old-1" }),
    },
    auditTrail: (request) =>
      Promise.resolve({ records: [{ seq: 7, at: 0, event: "e", detail: { ...request } }], next: 8, more: false }),
    log: memoryLog(),
    whoCan: (action, topic) => [{ principal: "p", because: `${action} ${topic}`, role: "r" }],
    backup: () => Promise.reject(new AdministrationError("conflict", "a backup is under way")),
    health() {
      return { ready: this.ready, detail: { journal: this.ready ? "ok" : "failed" } };
    },
    metrics: () => [{ name: "mess_up", help: "Up.", type: "gauge", value: 1 }],
    audit: (event, detail) => void audited.push({ event, detail }),
  };
}

function memoryPasswords(): PasswordAdministration {
  const passwords = new Map<string, PasswordView>();
  return {
    list: () => [...passwords.values()],
    set(_by, principal, { iterations }) {
      if (principal === "nobody")
        return Promise.reject(new AdministrationError("not-found", "there is no such principal"));
      passwords.set(principal, { principal, iterations, setAt: 1 });
      return Promise.resolve();
    },
    remove(_by, principal) {
      if (passwords.delete(principal)) return Promise.resolve();
      return Promise.reject(new AdministrationError("not-found", "it has no password"));
    },
  };
}

/** Knows the two keys. Each address may fail as often as the limits say. */
function memoryAuthenticator(administration: MemoryAdministration, limits: Limits): Authenticator {
  const secrets = new Map([
    ["admin-key", { secret: "mess_secret-of-admin", principal: "admin" }],
    ["reader-key", { secret: "mess_secret-of-reader", principal: "reader" }],
  ]);
  const throttle = new CredentialThrottle({
    failuresPerMinute: limits.authFailuresPerAddressPerMinute,
    addressesMax: 100,
  });
  return {
    methods: [],
    begin: () => ({ refused: "no method is served" }),
    authenticate: (id, secret, { address }) => {
      const retryAfterMs = throttle.retryAfterMs(address, performance.now());
      if (retryAfterMs > 0) return { refused: "too often", retryAfterMs };
      const known = secrets.get(id ?? "");
      if (known !== undefined && known.secret === Buffer.from(secret ?? []).toString()) {
        return { principal: known.principal, keyId: id ?? "", method: "key" };
      }
      throttle.failed(address, performance.now());
      administration.audit("auth.fail", { address });
      return { refused: "wrong" };
    },
  };
}

export interface Door {
  readonly listening: Listening;
  readonly queues: TestQueues;
  readonly engine: TestEngine;
  readonly queueAdministration: TestQueueAdministration;
  readonly signingKeys: TestSigningKeys;
  readonly signatures: TestSignatures;
  readonly certificateAdministration: TestCertificateAdministration;
  readonly keyAdministration: TestKeyAdministration;
  readonly administration: MemoryAdministration;
  readonly admission: Admission;
  readonly hits: Map<string, number>;
  readonly failures: unknown[];
  /** Rates that were exceeded, by their setting. */
  readonly limitHits: readonly string[];
  readonly counters: HttpCounters;
}

export interface DoorOptions {
  readonly limits?: Partial<Limits>;
  readonly tls?: ServerTls;
  readonly anonymous?: string;
  readonly authenticator?: Authenticator;
  readonly upgrade?: AcceptTransport;
  readonly now?: () => number;
}

let ids = 0;

export async function openDoor(options: DoorOptions = {}): Promise<Door> {
  const limits = { ...defaultLimits, ...options.limits };
  const counters = countingCounters();
  const monotonic = (): number => performance.now();
  const admission = new Admission({ limits, counters, monotonic, perAddress: true });
  const administration = memoryAdministration();
  const failures: unknown[] = [];
  const httpCounters = new HttpCounters();
  const queues = new TestQueues();
  const limitHits: string[] = [];
  const engine = new TestEngine();
  const queueAdministration = new TestQueueAdministration();
  const signingKeys = new TestSigningKeys();
  const signatures = new TestSignatures();
  const certificateAdministration = new TestCertificateAdministration();
  const keyAdministration = new TestKeyAdministration();
  const listening = await startHttp({
    host: "127.0.0.1",
    port: 0,
    limits,
    admission,
    deadlines: new Deadlines(nodeTimers),
    ...(options.tls !== undefined && { tls: options.tls }),
    ...(options.anonymous !== undefined && { anonymous: options.anonymous }),
    hostNames: ["localhost", "127.0.0.1", "::1", "broker.example"],
    administration,
    queues,
    engine: engine.engine,
    queueAdministration,
    signingKeys,
    signatures,
    certificateAdministration,
    keyAdministration,
    now: options.now ?? (() => Date.now()),
    newId: () => `id-${++ids}`,
    authenticator: options.authenticator ?? memoryAuthenticator(administration, limits),
    monotonic,
    rates: new RateLimiter({ limits, monotonic, limitHit: (limit) => limitHits.push(limit) }),
    upgrade: options.upgrade ?? (() => ({ bytes: () => {}, drained: () => {}, closed: () => {} })),
    counters: httpCounters,
    failed: (error) => failures.push(error),
  });
  return {
    listening,
    administration,
    queues,
    engine,
    queueAdministration,
    signingKeys,
    signatures,
    certificateAdministration,
    keyAdministration,
    admission,
    hits: counters.hits,
    failures,
    limitHits,
    counters: httpCounters,
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON, or undefined. */
  readonly json: Record<string, unknown>;
}

export interface Ask {
  readonly method?: string;
  readonly key?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly ca?: Buffer;
}

/** One request on a connection of its own. A body is sent as JSON. */
export function ask(door: Door, path: string, options: Ask = {}): Promise<Reply> {
  const { method = "GET", key, headers, body, ca } = options;
  const isRaw = typeof body === "string" || Buffer.isBuffer(body);
  // As bytes: with a string node would write the headers as UTF-8 too.
  const bytes = body === undefined ? undefined : Buffer.from(isRaw ? (body as string) : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const all = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(bytes !== undefined && { "content-type": "application/json" }),
      ...headers,
    };
    const common = { host: "127.0.0.1", port: door.listening.port, path, method, headers: all, agent: false as const };
    const outgoing: ClientRequest = ca === undefined ? httpRequest(common) : httpsRequest({ ...common, ca });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        let json: Record<string, unknown> = {};
        try {
          json = JSON.parse(text) as Record<string, unknown>;
        } catch {
          // Plain text.
        }
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json });
      });
    });
    outgoing.end(bytes);
  });
}

/** Sends raw bytes, and resolves with all that came back when the server has closed. */
export function raw(door: Door, bytes: string, keepOpen: boolean = true): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(door.listening.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
    if (keepOpen) socket.write(bytes);
    else socket.end(bytes);
  });
}
