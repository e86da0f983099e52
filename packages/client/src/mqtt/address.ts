import { MessError } from "../mess-error.ts";

/** Where a server is, taken apart from its URL. */
export interface Address {
  readonly secure: boolean;
  /** Name or address without brackets. */
  readonly host: string;
  readonly port: number;
  /** True for localhost, 127.0.0.0/8 and ::1: bytes to it do not leave the machine. */
  readonly loopback: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** The aliases are those other MQTT tools accept. */
const schemes: Readonly<Record<string, { secure: boolean; port: number }>> = {
  "mqtt:": { secure: false, port: 1883 },
  "tcp:": { secure: false, port: 1883 },
  "mqtts:": { secure: true, port: 8883 },
  "ssl:": { secure: true, port: 8883 },
  "mqtt+ssl:": { secure: true, port: 8883 },
};

/**
 * Reads `mqtt(s)://[user:password@]host[:port]`.
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
      hint: "use mqtts://HOST:PORT, or mqtt://HOST:PORT on this machine",
    });
  }
  if ((parsed.pathname !== "" && parsed.pathname !== "/") || parsed.search !== "" || parsed.hash !== "") {
    throw new MessError("INVALID_ARGUMENT", "an MQTT address has no path, query or fragment", {
      hint: "use mqtts://HOST:PORT; the topic is a separate argument",
    });
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/u, "$1");
  return {
    secure: scheme.secure,
    host,
    port: parsed.port === "" ? scheme.port : Number(parsed.port),
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
