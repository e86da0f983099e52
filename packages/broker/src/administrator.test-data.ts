/** An engine on a directory of its own with an administrator, and what tests do as publishers and consumers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Administrator } from "./administrator.ts";
import { defaultLimits, type Limits } from "./config/limits.ts";
import { headerReader, schemaCompiler } from "./content-readers.ts";
import { openDataHome } from "./data-home.ts";
import { BrokerEngine } from "./engine.ts";
import { nodeHost } from "./host/node-host.ts";
import { FileClientAuthority } from "./input/client-authority.ts";
import type { IssuedCertificate } from "./input/x509-tools.ts";
import { AdministrationError } from "./model/administration.ts";
import type { MessageAttributes } from "./model/message.ts";
import { MessageDraft, writeAttributes } from "./model/message.ts";
import type { Policy } from "./model/policy.ts";
import type { Lease, PublishResult, Settlement } from "./model/queue.ts";

export interface AuditedEvent {
  readonly event: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

export interface WorkbenchOptions {
  readonly policy: Policy;
  readonly limits?: Partial<Limits>;
  readonly isOpen?: boolean;
  readonly clientAuthority?: IssuedCertificate;
}

export class Workbench {
  readonly audited: AuditedEvent[] = [];
  readonly #root: string;
  readonly #options: WorkbenchOptions;
  engine!: BrokerEngine;
  administrator!: Administrator;

  private constructor(root: string, options: WorkbenchOptions) {
    this.#root = root;
    this.#options = options;
  }

  static async open(options: WorkbenchOptions): Promise<Workbench> {
    const bench = new Workbench(await mkdtemp(join(tmpdir(), "mess-admin-")), options);
    await bench.#start();
    return bench;
  }

  async #start(): Promise<void> {
    const { policy, isOpen = false, clientAuthority } = this.#options;
    const limits = { ...defaultLimits, segmentBytes: 1024 * 1024, ...this.#options.limits };
    const host = nodeHost();
    const home = await openDataHome({ host, kek: { directory: join(this.#root, "data") }, limits });
    this.engine = await BrokerEngine.start({
      host,
      opened: home.opened,
      directory: home.directory,
      limits,
      firstPolicy: policy,
      everythingAllowed: isOpen,
      headers: headerReader,
      schemas: schemaCompiler,
      machine: {
        reconnectGraceMs: 0,
        observeAudit: (event, detail) => this.audited.push({ event, detail }),
        observeFailure: () => undefined,
      },
    });
    this.administrator = new Administrator({
      engine: this.engine,
      host,
      beginBackup: home.opened.beginBackup,
      storage: home.storage,
      log: home.log,
      devPrincipal: isOpen ? "dev" : undefined,
      doorMetrics: () => [],
      ...(clientAuthority !== undefined && {
        clientAuthority: new FileClientAuthority(() => Promise.resolve(clientAuthority)),
      }),
    });
  }

  async restart(): Promise<void> {
    await this.engine.stop();
    await this.#start();
  }

  async close(): Promise<void> {
    await this.engine.stop();
    await rm(this.#root, { recursive: true, force: true });
  }

  events(name: string): readonly AuditedEvent["detail"][] {
    return this.audited.filter(({ event }) => event === name).map(({ detail }) => detail);
  }

  publish(by: string, topic: string, payload: string, attributes: MessageAttributes = {}): Promise<PublishResult> {
    const draft = new MessageDraft();
    draft.qos = 1;
    draft.topicBytes = Buffer.from(topic);
    draft.topicEnd = draft.topicBytes.length;
    draft.payloadBytes = Buffer.from(payload);
    draft.payloadEnd = draft.payloadBytes.length;
    draft.attributes = writeAttributes(attributes);
    return new Promise((resolve) => {
      this.engine.machine.queues.publishBatch({ principal: by, number: 0 }, [draft], ([result]) => {
        resolve(result as PublishResult);
      });
    });
  }

  /** Takes one message and settles it so. */
  async work(by: string, subscription: string, settlement: Settlement): Promise<void> {
    const { queues } = this.engine.machine;
    let resolve: (lease: Lease) => void = () => undefined;
    const leased = new Promise<Lease>((given) => {
      resolve = given;
    });
    const consumer = {
      ready: true,
      deliver: (_message: unknown, given: Lease): boolean => {
        resolve(given);
        return true;
      },
      end: (): void => undefined,
    };
    const request = { principal: by, keyId: "", subscription, messages: 1, bytes: 1_000_000, tokens: true };
    const handle = queues.consume(consumer, request);
    if ("reason" in handle) throw new Error(handle.text);
    const { token } = await leased;
    await new Promise((done) => queues.settle(by, token, settlement, done));
    queues.leave(handle, false);
  }
}

/** `done`, or the code of the refusal. */
export async function codeOf(act: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof act === "function" ? act() : act);
    return "done";
  } catch (error) {
    if (error instanceof AdministrationError) return error.code;
    throw error;
  }
}
