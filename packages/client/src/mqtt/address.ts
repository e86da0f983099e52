import { MessError } from "../mess-error.ts";

/** Where a server is, taken apart from its URL. */
export interface Address {
  readonly secure: boolean;
  /** Name or address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether MQTT goes through a WebSocket there. */
  readonly webSocket: boolean;
  /** Of a WebSocket's URL, with its query; `/mqtt` when the URL has none. Empty for others. */
  readonly path: string;
  /** True for localhost, 127.0.0.0/8 and ::1: bytes to it do not leave the machine. */
  readonly loopback: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

interface Scheme {
  readonly secure: boolean;
  readonly port: number;
  readonly webSocket: boolean;
}

const plain: Scheme = { secure: false, port: 1883, webSocket: false };
const tls: Scheme = { secure: true, port: 8883, webSocket: false };

/** The aliases are those other MQTT tools accept. */
const schemes: Readonly<Record<string, Scheme>> = {
  "mqtt:": plain,
  "tcp:": plain,
  "mqtts:": tls,
  "ssl:": tls,
  "mqtt+ssl:": tls,
  "ws:": { secure: false, port: 80, webSocket: true },
  "wss:": { secure: true, port: 443, webSocket: true },
};

/**
 * Reads `mqtt(s)://[user:password@]host[:port]` and `ws(s)://[user:password@]host[:port][/path]`.
 *
 * @throws MessError INVALID_ARGUMENT that names what is wrong
 */
export function parseAddress(url: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // An address without a scheme ("localhost:1883") parses as a URL of the scheme "localhost:".
  if (parsed === undefined || parsed.hostname === "") throw notAUrl(url);
  const scheme = Object.hasOwn(schemes, parsed.protocol) ? schemes[parsed.protocol] : undefined;
  if (scheme === undefined) {
    throw new MessError("INVALID_ARGUMENT", `the scheme ${parsed.protocol}// is not supported`, {
      hint: "use mqtts://HOST:PORT or wss://HOST:PORT/mqtt",
    });
  }
  const bare = parsed.pathname === "" || parsed.pathname === "/";
  if (scheme.webSocket ? parsed.hash !== "" : !bare || parsed.search !== "" || parsed.hash !== "") {
    throw new MessError("INVALID_ARGUMENT", "an MQTT address has no path, query or fragment", {
      hint: "use mqtts://HOST:PORT",
    });
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/u, "$1");
  return {
    secure: scheme.secure,
    webSocket: scheme.webSocket,
    host,
    port: parsed.port === "" ? scheme.port : Number(parsed.port),
    path: scheme.webSocket ? `${bare ? "/mqtt" : parsed.pathname}${parsed.search}` : "",
    loopback: isLoopback(host),
    username: parsed.username === "" ? undefined : decode(parsed.username),
    password: parsed.password === "" ? undefined : decode(parsed.password),
  };
}

/** Whether bytes to this host stay on the machine. A name other than localhost is never trusted to resolve so. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(host);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new MessError("INVALID_ARGUMENT", "the user part of the address is not valid percent-encoding", { cause });
  }
}

/** The text itself is not repeated: it may hold a password. */
function notAUrl(url: string): MessError {
  const seen = url.includes("@") ? "the address" : `"${url}"`;
  return new MessError("INVALID_ARGUMENT", `${seen} is not a URL`, { hint: "use mqtts://HOST:PORT" });
}
