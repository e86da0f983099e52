/** A TLS 1.3 client that sends nothing but KeyUpdate messages which ask for an answer (RFC 8446, 4.6.3). */
import { createCipheriv, createHmac } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";

/** type key_update, length 1, update_requested; then the type of the record within. */
const KEY_UPDATE = Buffer.from([24, 0, 0, 1, 1, 22]);
const TAG_BYTES = 16;

/** RFC 8446, 7.1: one block of HKDF-Expand is enough for all that is asked here. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac("sha256", secret).update(info).digest().subarray(0, length);
}

export class KeyUpdateClient {
  readonly #raw: Socket;
  #secret: Buffer;

  private constructor(raw: Socket, secret: Buffer) {
    this.#raw = raw;
    this.#secret = secret;
  }

  static async open(port: number, ca: Buffer): Promise<KeyUpdateClient> {
    const raw = connectTcp(port, "127.0.0.1");
    await once(raw, "connect");
    // A stream in between: after the handshake what we send goes past the TLS library.
    const between = new Duplex({
      read: () => {},
      write: (bytes: Buffer, _encoding, done) => void raw.write(bytes, done),
    });
    raw.on("data", (bytes: Buffer) => between.push(bytes));
    raw.on("error", () => {});
    const cipher = { ciphers: "TLS_AES_128_GCM_SHA256", minVersion: "TLSv1.3" } as const;
    const socket = connectTls({ socket: between, ca, servername: "localhost", ...cipher });
    let secret: Buffer | undefined;
    socket.on("keylog", (line: Buffer) => {
      const found = /^CLIENT_TRAFFIC_SECRET_0 \S+ (\S+)/.exec(String(line));
      if (found?.[1] !== undefined) secret = Buffer.from(found[1], "hex");
    });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    if (secret === undefined) throw new Error("the traffic secret did not come");
    raw.pause();
    return new KeyUpdateClient(raw, secret);
  }

  get isClosed(): boolean {
    return this.#raw.destroyed;
  }

  /** From now on the answers are read, and thrown away. */
  read(): void {
    this.#raw.removeAllListeners("data").on("data", () => {});
    this.#raw.resume();
  }

  /** Each follows under the key that the one before announced. */
  async send(count: number): Promise<void> {
    const records: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      const head = Buffer.from([23, 3, 3, 0, KEY_UPDATE.length + TAG_BYTES]);
      const key = expandLabel(this.#secret, "key", 16);
      const cipher = createCipheriv("aes-128-gcm", key, expandLabel(this.#secret, "iv", 12)).setAAD(head);
      records.push(head, cipher.update(KEY_UPDATE), cipher.final(), cipher.getAuthTag());
      this.#secret = expandLabel(this.#secret, "traffic upd", 32);
    }
    await new Promise<void>((resolve) => this.#raw.write(Buffer.concat(records), () => resolve()));
  }

  close(): void {
    this.#raw.destroy();
  }
}
