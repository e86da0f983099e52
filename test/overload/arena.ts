/** A server under the limits of the overload suite, its principals, and what is seen of it from outside. */
import { adminKeyOf, ask } from "../support/ask.ts";
import { withPolicy } from "../support/declared.ts";
import { type ConnectOptions, RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import type { Endpoint } from "../support/streams.ts";
import { Control } from "./control.ts";
import { pinWrapper } from "./pin.ts";
import { MemorySampler } from "./resident-memory.ts";

/** The heap of the server; it runs as in a container of 512 MiB. */
const heapMb = 256;
const attackers = 32;
/** Not that of the healthy client: limits of addresses are not to be shared with it. */
const attackerAddress = "127.0.77.1";
const controlEveryMs = 50;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface ArenaOptions {
  /** Limits that the test needs smaller than they are, as `MESS_LIMITS__…` would set them. */
  readonly limits?: Readonly<Record<string, number | string>>;
  /** More sections of the policy file. */
  readonly policy?: string;
}

/** Attackers may do everything below `attack/`, and nothing else. */
function policyOf(extra: string): string {
  const names = Array.from({ length: attackers }, (_, index) => `attacker-${index}`);
  return `
[roles.attacker]
allow = [{ publish = "attack/#", subscribe = "attack/#", retain = "attack/#", will = "attack/#" }, { subscribe = "#" }]
deny = [{ subscribe = "control/#" }]
[roles.healthy]
allow = [{ publish = "control/#", subscribe = "control/#" }]
[principals.control]
roles = ["healthy"]
${names.map((name) => `[principals.${name}]\nroles = ["attacker"]`).join("\n")}
${extra}`;
}

export class Arena {
  readonly server: Server;
  readonly control: Control;
  readonly memory: MemorySampler;
  readonly #keys = new Map<string, Credentials>();
  readonly #open = new Set<RawClient>();

  private constructor(server: Server, control: Control) {
    this.server = server;
    this.control = control;
    this.memory = new MemorySampler(server.pid);
  }

  static async open(options: ArenaOptions = {}): Promise<Arena> {
    const env: Record<string, string> = { NODE_OPTIONS: `--max-old-space-size=${heapMb}` };
    for (const [name, value] of Object.entries(options.limits ?? {})) {
      env[`MESS_LIMITS__${name.replace(/(?=[A-Z])/g, "_").toUpperCase()}`] = String(value);
    }
    const args = [...withPolicy(policyOf(options.policy ?? "")), "--log-level", "warn"];
    const server = await Server.start({ mode: "secure", wrapper: pinWrapper("server"), env, args });
    try {
      const { username, password } = await makeKey(server, "control");
      const start = { endpoint: server.mqtt, username, password, everyMs: controlEveryMs };
      return new Arena(server, await Control.start(start));
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** The key of an attacker: `attacker-0` to `attacker-31`. */
  async key(principal: string): Promise<Credentials> {
    const known = this.#keys.get(principal);
    if (known !== undefined) return known;
    const made = await makeKey(this.server, principal);
    this.#keys.set(principal, made);
    return made;
  }

  /** An attacker that is connected over TLS. It is closed after the row. */
  async attacker(options: ConnectOptions & { principal?: string; at?: Endpoint } = {}): Promise<RawClient> {
    const { principal = "attacker-0", at = { ...this.server.mqtt, from: attackerAddress }, ...fields } = options;
    const client = await RawClient.connect(at, { keepAlive: 600, ...(await this.key(principal)), ...fields });
    this.#open.add(client);
    return client;
  }

  /** Breaks the connections of all attackers, or of all but one. */
  leave({ but }: { but?: RawClient } = {}): void {
    for (const client of this.#open) {
      if (client === but) continue;
      client.stream.destroy();
      this.#open.delete(client);
    }
  }

  /** Sum over all series of a metric whose line holds each of `parts`. */
  async metric(name: string, ...parts: string[]): Promise<number> {
    const text = await this.#metrics();
    const lines = text
      .split("\n")
      .filter((line) => line.startsWith(name) && parts.every((part) => line.includes(part)));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  /** Tried again while the door is full: whoever reads metrics comes through it like everybody. */
  async #metrics(): Promise<string> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await ask(this.server, "/metrics", { key: adminKeyOf(this.server) })).text;
      } catch (error) {
        if (tries >= 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async limitHits(limit: string): Promise<number> {
    return this.metric("mess_limit_hits_total", `limit="${limit}"`);
  }

  async close(): Promise<void> {
    this.memory.stop();
    this.control.close();
    await this.server.remove();
  }
}

async function makeKey(server: Server, name: string): Promise<Credentials> {
  const { status, text } = await ask(server, "/v1/keys", {
    method: "POST",
    key: adminKeyOf(server),
    body: { name, roles: [] },
  });
  if (status !== 201) throw new Error(`no key for ${name}: ${status} ${text}`);
  const made = JSON.parse(text) as { id: string; secret: string };
  return { username: made.id, password: made.secret };
}
