import net from "node:net";
import tls from "node:tls";
import { MessError } from "../mess-error.ts";
import type { Pem, Transport, TransportEvents, TransportOptions } from "./transport.ts";

/** TCP and TLS 1.2 or newer, by Node. The certificate is always checked: there is no option to switch that off. */
export async function openNodeTransport(options: TransportOptions, events: TransportEvents): Promise<Transport> {
  const { address, signal } = options;
  if (signal.aborted) throw connectFailure(options, signal.reason);
  const shown = await certificateOf(options);
  if (signal.aborted) throw connectFailure(options, signal.reason);
  const socket = address.secure ? openTls(options, shown) : net.connect({ host: address.host, port: address.port });
  socket.setNoDelay(true);
  await opened(socket, options);
  return wire(socket, events);
}

interface ShownCertificate {
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** The certificate to show to the server, if there is one. */
async function certificateOf(options: TransportOptions): Promise<ShownCertificate> {
  const { cert, key, address } = options;
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) {
    throw new MessError("INVALID_ARGUMENT", "a client certificate needs its private key, and the key its certificate", {
      hint: "pass cert and key together",
    });
  }
  if (!address.secure) {
    throw new MessError("INVALID_ARGUMENT", "without TLS there is nobody to show a client certificate to", {
      hint: "use mqtts://",
    });
  }
  try {
    const shown = { cert: await pemOf(cert), key: await pemOf(key) };
    // What is wrong with them shows here, and not as a failure of the network.
    tls.createSecureContext(shown);
    return shown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MessError("INVALID_ARGUMENT", `the client certificate cannot be used: ${reason}`, {
      hint: "pass PEM, a key without a passphrase, and the key that belongs to the certificate",
      cause,
    });
  }
}

async function pemOf(pem: Pem): Promise<string | Buffer> {
  const bytes = typeof pem === "function" ? await pem() : pem;
  return typeof bytes === "string" ? bytes : Buffer.from(bytes);
}

function openTls({ address, ca, serverName }: TransportOptions, shown: ShownCertificate): tls.TLSSocket {
  // SNI carries names only (RFC 6066 section 3); an address is still checked against the certificate.
  const name = serverName ?? address.host;
  return tls.connect({
    host: address.host,
    port: address.port,
    minVersion: "TLSv1.2",
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : Buffer.from(ca) }),
    ...shown,
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
  });
}

function opened(socket: net.Socket, options: TransportOptions): Promise<void> {
  const ready = socket instanceof tls.TLSSocket ? "secureConnect" : "connect";
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      socket.off(ready, succeed).off("error", fail).off("close", lost);
      options.signal.removeEventListener("abort", aborted);
      if (error === undefined) return resolve();
      socket.on("error", () => undefined).destroy();
      reject(connectFailure(options, error));
    };
    const succeed = (): void => settle();
    const fail = (error: Error): void => settle(error);
    const lost = (): void => settle(new Error("the server closed the connection before it was ready"));
    const aborted = (): void => settle(options.signal.reason ?? new Error("aborted"));
    socket.once(ready, succeed).once("error", fail).once("close", lost);
    options.signal.addEventListener("abort", aborted, { once: true });
  });
}

function wire(socket: net.Socket, events: TransportEvents): Transport {
  let failure: Error | undefined;
  socket.on("data", (chunk: Buffer) => events.data(chunk, 0, chunk.length));
  socket.on("drain", () => events.drain());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => events.closed(failure));
  return {
    write: (bytes) => socket.write(bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    channelBinding: () => channelBindingOf(socket),
  };
}

/** RFC 9266 section 4. */
const exporterLabel = "EXPORTER-Channel-Binding";
const exporterBytes = 32;

function channelBindingOf(socket: net.Socket): Uint8Array | undefined {
  if (!(socket instanceof tls.TLSSocket) || socket.getProtocol() !== "TLSv1.3") return undefined;
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
}

const unreachableCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: is the server running, and is the port right?",
  ENOTFOUND: "the host name is unknown: check the spelling",
  EAI_AGAIN: "the host name could not be looked up now: check the network",
  EHOSTUNREACH: "no way to that host: check the network",
  ENETUNREACH: "no way to that network",
  ETIMEDOUT: "the host does not answer: check the address and the firewall",
  ECONNRESET: "the server closed at once: is it a TLS port spoken to in clear (mqtts:// or mqtt://)?",
};

function connectFailure({ address, signal }: TransportOptions, error: unknown): MessError {
  const where = `${address.host}:${address.port}`;
  if (error instanceof MessError) return error;
  if (signal.aborted) return new MessError("ABORTED", `connecting to ${where} was given up`, { cause: error });
  const code = errorCode(error);
  const text = error instanceof Error && error.message !== "" ? error.message : String(error);
  if (isTlsFailure(code)) {
    return new MessError("TLS_FAILED", `no trusted connection to ${where}: ${text}`, {
      hint: tlsHint(code),
      cause: error,
    });
  }
  const hint = code === undefined ? undefined : unreachableCodes[code];
  return new MessError("UNREACHABLE", `cannot connect to ${where}${code === undefined ? `: ${text}` : ` (${code})`}`, {
    hint,
    cause: error,
  });
}

/** A host with several addresses fails with an AggregateError: the first cause speaks for all. */
function errorCode(error: unknown): string | undefined {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = first instanceof Error && "code" in first ? first.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function isTlsFailure(code: string | undefined): boolean {
  if (code === undefined) return false;
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|EPROTO)/u.test(code);
}

function tlsHint(code: string | undefined): string {
  if (code === "CERT_HAS_EXPIRED")
    return "the server's certificate is over its date: renew it, or set this machine's clock";
  if (code === "CERT_NOT_YET_VALID") return "the certificate begins in the future: is this machine's clock right?";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "the certificate does not name this host: start the server with --host-name, or use a name it has";
  }
  if (code === "EPROTO" || code?.startsWith("ERR_SSL_") === true) {
    return "is it a plaintext port (mqtt://), or a server that lacks TLS 1.2?";
  }
  return "pass the server's own CA (its ca.pem)";
}
