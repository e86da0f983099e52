/** An MQTT client that sends exactly the bytes it is told and judges every packet that comes back. */
import { decode, describePacket, type Packet, packetEnd } from "./decoder.ts";
import type { PacketName, Version } from "./packets.ts";
import * as build from "./packets.ts";
import { type Endpoint, openStream, type Stream } from "./streams.ts";
import { target } from "./target.ts";

export type Match = PacketName | Partial<Packet> | ((packet: Packet) => boolean);

export interface Outcome {
  /** Packets that came before the end, in order. */
  readonly packets: readonly Packet[];
  readonly reason: string;
}

const hex = (code: number): string => `0x${code.toString(16).padStart(2, "0")}`;

function matches(packet: Packet, match: Match): boolean {
  if (typeof match === "string") return packet.name === match;
  if (typeof match === "function") return match(packet);
  return Object.entries(match).every(([key, value]) => packet[key as keyof Packet] === value);
}

function describeMatch(match: Match): string {
  if (typeof match === "string") return match;
  return typeof match === "function" ? "a matching packet" : JSON.stringify(match);
}

export type ConnectOptions = build.ConnectFields & {
  /** What the client is, for messages of failed tests. */
  readonly label?: string;
};

export class RawClient {
  readonly version: Version;
  /** The accepted CONNACK, after `connect`. */
  connack: Packet | undefined;
  /** Answers every QoS 1 and 2 delivery as soon as it comes. */
  autoAck = false;
  readonly #queue: Packet[] = [];
  readonly #log: string[] = [];
  #stream: Stream | undefined;
  #held: Buffer = Buffer.alloc(0);
  #closedBecause: string | undefined;
  #fault: Error | undefined;
  #wake: (() => void)[] = [];
  #nextId = 0;

  private constructor(version: Version) {
    this.version = version;
  }

  /** Opens the transport alone. */
  static async open(endpoint: Endpoint, version: Version = 5): Promise<RawClient> {
    const client = new RawClient(version);
    client.#stream = await openStream(endpoint, {
      bytes: (bytes) => client.#received(bytes),
      closed: (reason) => client.#ended(reason),
    });
    return client;
  }

  /** Opens, sends CONNECT and wants CONNACK 0. */
  static async connect(endpoint: Endpoint, options: ConnectOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(endpoint, options.version ?? 5);
    client.send(build.connect(options));
    const connack = await client.next("CONNACK", 5_000);
    if (connack.code !== 0) throw new Error(`CONNECT refused with ${hex(connack.code)}${client.history()}`);
    client.connack = connack;
    return client;
  }

  get stream(): Stream {
    if (this.#stream === undefined) throw new Error("not open");
    return this.#stream;
  }

  get isClosed(): boolean {
    return this.#closedBecause !== undefined;
  }

  /** A packet id this client has not used lately. */
  freshId(): number {
    this.#nextId = (this.#nextId % 65_535) + 1;
    return this.#nextId;
  }

  send(...bytes: Buffer[]): void {
    if (this.isClosed) throw new Error(`the server has closed the connection${this.history()}`);
    this.stream.write(Buffer.concat(bytes));
  }

  #received(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    let at = 0;
    try {
      for (;;) {
        const end = packetEnd(this.#held.subarray(at));
        if (end === undefined) break;
        const packet = decode(this.#held.subarray(at, at + end), this.version);
        at += end;
        if (this.#log.length < 40) this.#log.push(describePacket(packet));
        if (!this.#answer(packet)) this.#queue.push(packet);
      }
    } catch (error) {
      this.#fault ??= new Error(`the server sent a wrong packet: ${(error as Error).message}${this.history()}`);
    }
    this.#held = Buffer.from(this.#held.subarray(at));
    this.#notify();
  }

  /** With `autoAck`: true for the packets of the acknowledgement itself, which no test wants to see. */
  #answer(packet: Packet): boolean {
    if (!this.autoAck || this.isClosed) return false;
    if (packet.name === "PUBLISH" && packet.qos === 1) this.send(build.ack("PUBACK", packet.id));
    if (packet.name === "PUBLISH" && packet.qos === 2) this.send(build.ack("PUBREC", packet.id));
    if (packet.name !== "PUBREL") return false;
    this.send(build.ack("PUBCOMP", packet.id));
    return true;
  }

  #ended(reason: string): void {
    this.#closedBecause = reason;
    if (this.#held.length > 0) this.#fault ??= new Error(`the connection ended inside a packet${this.history()}`);
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const each of wake) each();
  }

  history(): string {
    const ending = this.#closedBecause === undefined ? "" : ` | closed: ${this.#closedBecause}`;
    return ` [received: ${this.#log.join("; ") || "nothing"}${ending}]`;
  }

  /** Waits until `look` gives a value; undefined at the deadline. */
  async #until<T>(look: () => T | undefined, milliseconds: number): Promise<T | undefined> {
    const deadline = Date.now() + milliseconds;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#fault !== undefined) throw this.#fault;
      const left = deadline - Date.now();
      if (left <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** The next packet, which must be the one described. */
  async next(match: Match, milliseconds = 4_000): Promise<Packet> {
    const packet = await this.#until(() => this.#queue.shift() ?? (this.isClosed ? null : undefined), milliseconds);
    if (packet === undefined)
      throw new Error(`no packet in ${milliseconds} ms, wanted ${describeMatch(match)}${this.history()}`);
    if (packet === null) throw new Error(`closed, wanted ${describeMatch(match)}${this.history()}`);
    if (!matches(packet, match)) {
      throw new Error(`wanted ${describeMatch(match)}, got ${describePacket(packet)}${this.history()}`);
    }
    return packet;
  }

  /** The first packet described, leaving others in the queue. */
  async take(match: Match, milliseconds = 4_000): Promise<Packet> {
    const packet = await this.#until(() => {
      const index = this.#queue.findIndex((each) => matches(each, match));
      if (index >= 0) return this.#queue.splice(index, 1)[0];
      return this.isClosed ? null : undefined;
    }, milliseconds);
    if (packet === undefined) throw new Error(`no ${describeMatch(match)} in ${milliseconds} ms${this.history()}`);
    if (packet === null) throw new Error(`closed, wanted ${describeMatch(match)}${this.history()}`);
    return packet;
  }

  /** The next delivery, whatever else waits. */
  message(milliseconds = 4_000): Promise<Packet> {
    return this.take("PUBLISH", milliseconds);
  }

  async messages(count: number, milliseconds = 5_000): Promise<Packet[]> {
    const all: Packet[] = [];
    while (all.length < count) all.push(await this.message(milliseconds));
    return all;
  }

  /** Packets received and not taken, without waiting. */
  waiting(match?: Match): Packet[] {
    return this.#queue.filter((packet) => match === undefined || matches(packet, match));
  }

  /** Nothing (that matches) comes, and the connection stays. */
  async expectNothing(milliseconds = 200, match: Match = () => true): Promise<void> {
    const packet = await this.#until(
      () => this.#queue.find((each) => matches(each, match)) ?? (this.isClosed ? null : undefined),
      milliseconds,
    );
    if (packet === null) throw new Error(`closed, wanted silence${this.history()}`);
    if (packet !== undefined) throw new Error(`wanted nothing, got ${describePacket(packet)}${this.history()}`);
  }

  /** Waits for the end of the connection and returns what came before it. */
  async closed(milliseconds = 4_000): Promise<Outcome> {
    const reason = await this.#until(() => this.#closedBecause, milliseconds);
    if (reason === undefined) throw new Error(`the connection is still open after ${milliseconds} ms${this.history()}`);
    if (this.#fault !== undefined) throw this.#fault;
    return { packets: this.#queue.splice(0), reason };
  }

  /**
   * The server ends the connection as the version wants it: 5.0 may say why first (DISCONNECT, or CONNACK before it
   * has accepted), and then with one of `codes`; 3.1.1 closes, or refuses a CONNECT with a code from 1 to 5. mess
   * always says why once it has accepted; the standard only allows it to.
   */
  async refused(
    codes: readonly number[] = [],
    options: { mustTell?: boolean; within?: number } = {},
  ): Promise<Packet | undefined> {
    const { packets } = await this.closed(options.within ?? 4_000);
    const last = packets.filter((packet) => packet.name === "DISCONNECT" || packet.name === "CONNACK").at(-1);
    if (last === undefined) {
      const mustTell = options.mustTell ?? (target === "mess" && this.connack !== undefined);
      if (mustTell && this.version === 5) throw new Error(`closed without a reason code${this.history()}`);
      return undefined;
    }
    if (last.code < 0x80 && this.version === 5)
      throw new Error(`ended with ${hex(last.code)}, wanted an error${this.history()}`);
    if (codes.length > 0 && this.version === 5 && !codes.includes(last.code)) {
      throw new Error(`refused with ${hex(last.code)}, wanted ${codes.map(hex).join(" or ")}${this.history()}`);
    }
    return last;
  }

  /** A round trip: what was sent before has been read by the server, and what it sent before has come. */
  async ping(): Promise<void> {
    this.send(build.pingreq());
    await this.take("PINGRESP");
  }

  /** SUBSCRIBE, and the SUBACK that every code of must be a grant unless `refusable`. */
  async subscribe(
    filters: readonly (build.Filter | string)[] | build.Filter | string,
    options: { properties?: build.PropertiesInput; refusable?: boolean } = {},
  ): Promise<Packet> {
    const list = (Array.isArray(filters) ? filters : [filters]) as (build.Filter | string)[];
    const id = this.freshId();
    this.send(build.subscribe({ version: this.version, id, filters: list, properties: options.properties ?? {} }));
    const suback = await this.take({ name: "SUBACK", id });
    if (suback.codes.length !== list.length)
      throw new Error(`SUBACK with ${suback.codes.length} codes for ${list.length} filters`);
    if (options.refusable !== true && suback.codes.some((code) => code > 2)) {
      throw new Error(`SUBSCRIBE ${JSON.stringify(list)} refused${this.history()}`);
    }
    return suback;
  }

  async unsubscribe(...filters: string[]): Promise<Packet> {
    const id = this.freshId();
    this.send(build.unsubscribe({ version: this.version, id, filters }));
    return this.take({ name: "UNSUBACK", id });
  }

  /** PUBLISH with all of its flow; returns PUBACK, or PUBREC if that refused, or PUBCOMP. Undefined for QoS 0. */
  async publish(fields: Omit<build.PublishFields, "version">): Promise<Packet | undefined> {
    const qos = fields.qos ?? 0;
    const id = fields.id ?? (qos > 0 ? this.freshId() : 0);
    this.send(build.publish({ ...fields, id, version: this.version }));
    if (qos === 0) return undefined;
    if (qos === 1) return this.take({ name: "PUBACK", id });
    const pubrec = await this.take({ name: "PUBREC", id });
    if (pubrec.code >= 0x80) return pubrec;
    this.send(build.ack("PUBREL", id));
    return this.take({ name: "PUBCOMP", id });
  }

  /** Answers a delivery to its end. */
  async acknowledge(packet: Packet): Promise<void> {
    if (packet.qos === 1) this.send(build.ack("PUBACK", packet.id));
    if (packet.qos !== 2) return;
    this.send(build.ack("PUBREC", packet.id));
    await this.take({ name: "PUBREL", id: packet.id });
    this.send(build.ack("PUBCOMP", packet.id));
  }

  /** DISCONNECT in the ordinary way, and waits for the server to close. */
  async disconnect(code?: number, input?: build.PropertiesInput): Promise<void> {
    this.send(build.disconnect(code, input));
    await this.closed();
  }

  /** Breaks the connection without DISCONNECT. */
  async drop(): Promise<void> {
    this.stream.destroy();
    await this.#until(() => this.#closedBecause, 1_000);
  }
}
