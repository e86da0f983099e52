import { isIP } from "node:net";
import { HttpRefusal } from "./problem.ts";

/** What is looked at of a request, plain or upgrade. */
export interface RequestHead {
  readonly method: string;
  /** The request target as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The address of this machine that the connection came in on. */
  readonly localAddress: string | undefined;
  readonly encrypted: boolean;
}

/**
 * Refuses (421) a request for a name that is not this server's. A web page can make a browser connect to us under a
 * name of its own ("DNS rebinding"); then only the Host header tells (THREATS C2).
 */
export function checkHost(head: RequestHead, names: ReadonlySet<string>): void {
  const name = hostNameOf(singleHeader(head, "host"));
  const known = name !== undefined && (names.has(name) || name === plainAddress(head.localAddress));
  if (!known || !head.target.startsWith("/")) {
    throw new HttpRefusal("foreign-host", "use a name of this server, or start it with --host-name NAME");
  }
}

/**
 * Refuses (403) a request that a page of another site made a browser send. Programs that are no browsers send no
 * Origin and pass.
 */
export function checkOrigin(head: RequestHead): void {
  const origin = singleHeader(head, "origin");
  const site = singleHeader(head, "sec-fetch-site");
  const foreignSite = site === "cross-site" || site === "same-site";
  if (origin === undefined && !foreignSite) return;
  if (foreignSite || origin !== ownOrigin(head)) {
    throw new HttpRefusal("foreign-origin", "pages of other web sites may not use this server");
  }
}

/** The names of `certificateNames` in the form `checkHost` compares. */
export function hostNameSet(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => plainAddress(name.toLowerCase()) ?? name));
}

function ownOrigin(head: RequestHead): string | undefined {
  const text = `${head.encrypted ? "https" : "http"}://${singleHeader(head, "host")}`;
  // Browsers leave out the default port in Origin; parsing does the same to ours.
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

/** The name in a Host header, without port, in lower case; `undefined` when it is malformed. */
function hostNameOf(host: string | undefined): string | undefined {
  if (host === undefined) return undefined;
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(host);
  const name = match?.[1]?.toLowerCase();
  return name === undefined ? undefined : plainAddress(name.replace(/^\[(.*)\]$/, "$1"));
}

/** An address in its shortest form, IPv4 never as IPv6; other names as they are. */
function plainAddress(name: string | undefined): string | undefined {
  if (name === undefined || isIP(name) !== 6) return name;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(name);
  if (mapped !== null) return mapped[1];
  return URL.canParse(`http://[${name}]`) ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;
}

function singleHeader(head: RequestHead, name: string): string | undefined {
  const value = head.headers[name];
  return typeof value === "string" ? value : undefined;
}
