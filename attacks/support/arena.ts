/** What an attack works with: the broker, principals, clients, and everything that can be seen from outside. */
import { get } from "node:https";
import { adminKeyOf, ask, type Question, type Reply } from "../../test/support/ask.ts";
import type { Packet } from "../../test/support/decoder.ts";
import { unique } from "../../test/support/names.ts";
import * as build from "../../test/support/packets.ts";
import { type ConnectOptions, RawClient } from "../../test/support/raw-client.ts";
import type { Server } from "../../test/support/server.ts";
import type { Broker, BrokerOptions, Door } from "./broker.ts";
import { Bystander } from "./bystander.ts";
import { type Observed, observe } from "./observe.ts";
import type { Role } from "./roles.ts";
import { startTarget } from "./start-target.ts";

/** Somebody with a credential; where there are none, only a name. */
export interface Principal {
  readonly name: string;
  /** Of the API key. */
  readonly id: string;
  readonly secret: string;
  /** For CONNECT. */
  readonly credentials: { readonly username?: string; readonly password?: string };
  /** A topic below the tree that is theirs. */
  topic(rest: string): string;
}

export interface Rights {
  readonly allow: readonly Readonly<Record<string, string | readonly string[]>>[];
  readonly deny?: readonly Readonly<Record<string, string | readonly string[]>>[];
}

/** The answer to a CONNECT that may be a refusal; `connack` is absent when there was none. */
export interface Attempt {
  readonly client: RawClient;
  readonly connack: Packet | undefined;
}

const answerMs = 5_000;
/** Data directories of own brokers are copied and read as a whole. */
const smallSegments = { MESS_LIMITS__SEGMENT_BYTES: "8MiB" };

/** Each arena comes from an address of its own: what one attack does wrong must not be held against the next. */
let addresses = 0;
function nextAddress(): string {
  addresses += 1;
  return `127.${1 + (addresses >> 16)}.${(addresses >> 8) & 255}.${addresses & 255}`;
}

const roleOf = (name: string): string => `role-of-${name}`;

export class Arena {
  readonly broker: Broker;
  /** The sizes of the threat model's text instead of those a build can afford. */
  readonly full: boolean;
  /** Where its clients come from. */
  readonly address: string = nextAddress();
  readonly #clients: RawClient[] = [];
  readonly #owned: Arena[] = [];
  #bystander: Bystander | undefined;

  constructor(broker: Broker, full: boolean) {
    this.broker = broker;
    this.full = full;
  }

  get isMess(): boolean {
    return this.broker.mess !== undefined;
  }

  /** The process of mess; steps that use it are marked `elsewhere`. */
  get server(): Server {
    if (this.broker.mess === undefined) throw new Error(`this step is for mess, not ${this.broker.name}`);
    return this.broker.mess;
  }

  /** The ways in for MQTT, from the address of this arena. */
  get doors(): readonly Door[] {
    return this.broker.doors.map((door) => ({ ...door, endpoint: { ...door.endpoint, from: this.address } }));
  }

  get door(): Door {
    return this.doors[0] as Door;
  }

  /** Numbers and log of the broker from now on. */
  observe(): Promise<Observed> {
    return observe(this);
  }

  /** Another broker of the same kind, for an attack that breaks it; removed with this arena. */
  async own(options: BrokerOptions = {}): Promise<Arena> {
    const env = { ...smallSegments, ...options.env };
    const arena = new Arena(await startTarget(this.broker.name, { ...options, env }), this.full);
    this.#owned.push(arena);
    return arena;
  }

  /** A principal nobody else is, with one key. */
  principal(role: Role = "tenant", name: string = unique("p")): Promise<Principal> {
    return this.#withKey(name, role);
  }

  /** The same with grants of its own, written as in a policy: `{ publish: "a/#" }`. */
  async principalWith(rights: Rights, name: string = unique("p")): Promise<Principal> {
    await this.setRights(name, rights);
    return this.#withKey(name, roleOf(name));
  }

  /** Gives a principal of `principalWith` other grants. */
  async setRights(name: string, rights: Rights): Promise<void> {
    if (!this.isMess) return;
    const policy = JSON.parse((await this.admin("/v1/policy")).text) as { roles?: Record<string, unknown> };
    const body = { ...policy, roles: { ...policy.roles, [roleOf(name)]: rights } };
    const { status, text } = await this.admin("/v1/policy", { method: "PUT", body });
    if (status !== 200) throw new Error(`no rights for ${name}: ${status} ${text}`);
  }

  async #withKey(name: string, role: string): Promise<Principal> {
    const topic = (rest: string): string => `${name}/${rest}`;
    if (!this.isMess) return { name, id: "", secret: "", credentials: {}, topic };
    const { status, text } = await this.admin("/v1/keys", { method: "POST", body: { name, roles: [role] } });
    if (status !== 201) throw new Error(`no key for ${name}: ${status} ${text}`);
    const { id, secret } = JSON.parse(text) as { id: string; secret: string };
    return { name, id, secret, credentials: { username: id, password: secret }, topic };
  }

  /** Connects, and wants to be accepted. */
  async connect(who: Principal, fields: ConnectOptions = {}, door: Door = this.door): Promise<RawClient> {
    const { client, connack } = await this.attempt(who, fields, door);
    if (connack?.code !== 0) throw new Error(`${who.name} is not let in${client.history()}`);
    client.connack = connack;
    return client;
  }

  /** CONNECT and whatever is answered. */
  async attempt(who: Partial<Principal>, fields: ConnectOptions = {}, door: Door = this.door): Promise<Attempt> {
    const version = fields.version ?? this.broker.version;
    const client = await this.open(door, version);
    client.send(build.connect({ clientId: unique("c"), ...who.credentials, ...fields, version }));
    const connack = await client.take("CONNACK", answerMs).catch(() => undefined);
    return { client, connack };
  }

  /** The transport alone. */
  async open(door: Door = this.door, version: 4 | 5 = this.broker.version): Promise<RawClient> {
    const client = await RawClient.open(door.endpoint, version);
    this.#clients.push(client);
    return client;
  }

  /** A session that outlives its connection, as the version says it. */
  lasting(seconds = 600): ConnectOptions {
    const properties = this.broker.version === 5 ? { properties: { sessionExpiryInterval: seconds } } : {};
    return { cleanStart: false, ...properties };
  }

  /** Asks over HTTPS as `who`. */
  ask(who: Pick<Principal, "id" | "secret"> | undefined, path: string, question: Question = {}): Promise<Reply> {
    const key = who === undefined ? {} : { key: `${who.id}.${who.secret}` };
    return ask(this.server, path, { from: this.address, ...key, ...question });
  }

  /** Asks over HTTPS as the owner of the first key. */
  admin(path: string, question: Question = {}): Promise<Reply> {
    return ask(this.server, path, { key: adminKeyOf(this.server), ...question });
  }

  /** The status of an answer that may never end, as that of an event stream. */
  statusOf(who: Principal | undefined, path: string): Promise<number> {
    const headers = who === undefined ? {} : { authorization: `Bearer ${who.id}.${who.secret}` };
    const from = { localAddress: this.address };
    return new Promise((resolve, reject) => {
      const request = get(new URL(path, this.server.httpUrl), { ca: this.server.ca, agent: false, headers, ...from });
      request.once("response", (response) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
      request.on("error", reject);
    });
  }

  /** Starts somebody who has nothing to do with the attack. */
  async watch(): Promise<void> {
    this.#bystander = await Bystander.join(this);
  }

  /** Throws `AttackSucceeded` when the attack reached those who have nothing to do with it. */
  async unharmed(): Promise<void> {
    await this.#bystander?.check();
  }

  /** Ends all that was opened here. */
  async leave(): Promise<void> {
    this.#bystander?.leave();
    for (const client of this.#clients.splice(0)) client.stream.destroy();
    for (const arena of this.#owned.splice(0)) {
      await arena.leave();
      await arena.broker.remove();
    }
  }
}
