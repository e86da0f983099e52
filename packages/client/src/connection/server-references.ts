import type { MessError } from "../mess-error.ts";
import { parseAddress } from "../mqtt/address.ts";

/** Others to go to in a row before the waits of an ordinary failure apply: two servers may name each other. */
const followedMax = 5;
const useAnotherServer = 0x9c;
const serverMoved = 0x9d;

/** Where to connect to next: the URL that was given, or the server that a server named (5.0 section 4.11). */
export class ServerReferences {
  #home: string;
  #away: string | undefined;
  #followed = 0;

  constructor(url: string) {
    this.#home = url;
  }

  get url(): string {
    return this.#away ?? this.#home;
  }

  /** The connection stands: references count anew. */
  settled(): void {
    this.#followed = 0;
  }

  /** Takes the reference out of a failure. False when there is none to follow: wait, and try what `url` says then. */
  follow(error: MessError | undefined): boolean {
    const { reasonCode, serverReference } = error ?? {};
    const moved = reasonCode === serverMoved;
    if (serverReference !== undefined && (moved || reasonCode === useAnotherServer) && this.#followed < followedMax) {
      const url = referenceUrl(this.url, serverReference);
      if (url !== undefined) {
        this.#followed += 1;
        if (moved) this.#home = url;
        this.#away = moved ? undefined : url;
        return true;
      }
    }
    // A server that was named for a while and fails is left for the one we were told by the user.
    this.#away = undefined;
    return false;
  }
}

/**
 * References are separated by spaces, and are names or addresses, with or without port [5.0 section 4.11]; mess also takes
 * URLs. The first one that is usable. Never one that is less secure than `from`.
 */
function referenceUrl(from: string, references: string): string | undefined {
  const { secure, webSocket } = parseAddress(from);
  const base = new URL(from);
  for (const reference of references.split(" ")) {
    const text = reference.includes("://")
      ? reference
      : `${base.protocol}//${reference}${webSocket ? base.pathname : ""}`;
    try {
      const address = parseAddress(text);
      if (secure && !address.secure) continue;
      const url = new URL(text);
      url.username = base.username;
      url.password = base.password;
      return url.href;
    } catch {
      // Not one we understand; the next may be.
    }
  }
  return undefined;
}
