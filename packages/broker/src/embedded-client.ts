/** The joint between a broker and a client in the same process: packets as on any connection, and no network. */
import { type ConnectOptions, MessError, type MqttConnectOptions, type OpenTransport, type World } from "@mess/client";
import type { Host } from "./host/host.ts";
import type { Admission } from "./input/admission.ts";
import { MemoryTransport } from "./input/memory-transport.ts";
import type { AcceptTransport } from "./input/transport.ts";
import { nearestName } from "./model/nearest-name.ts";
import type { Policy } from "./model/policy.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";

/** Shown in audit records where others have an address. */
const embeddedAddress = "embedded";

/** Who an embedded client is and how it gets here is settled, and it needs no sign of life; the rest is as for any other. */
export type EmbeddedOptions = Omit<
  ConnectOptions,
  "auth" | "ca" | "cert" | "key" | "serverName" | "keepAlive" | "insecureCleartextCredentials" | "transport" | "world"
>;
/** The same for a client without what the SDK adds. */
export type EmbeddedMqttOptions = Omit<
  MqttConnectOptions,
  | "keyId"
  | "secret"
  | "scram"
  | "ca"
  | "cert"
  | "key"
  | "serverName"
  | "keepAlive"
  | "insecureCleartextCredentials"
  | "transport"
  | "world"
>;

export interface EmbeddedParts {
  readonly accept: AcceptTransport;
  readonly admission: Admission;
  readonly host: Host;
  /** The broker takes no more clients. */
  readonly isClosing: () => boolean;
}

/** Opens connections of one principal. Credentials that the client shows are not looked at. */
function embeddedTransport(parts: EmbeddedParts, principal: string): OpenTransport {
  const { accept, admission, host } = parts;
  return async (_options, events) => {
    if (parts.isClosing()) throw new MessError("CLOSED", "the broker in this process is closed");
    if (!admission.admit(undefined)) {
      throw new MessError("UNREACHABLE", "the broker in this process has as many connections as it takes", {
        hint: "raise limits.connectionsMax, or close clients that are not used",
      });
    }
    const transport = new MemoryTransport({
      accept,
      peer: { address: embeddedAddress, kind: "memory", principal },
      events,
      soon: (run) => host.timers.soon(run),
      closed: () => admission.release(undefined),
    });
    return transport.clientEnd;
  };
}

/** What makes a client an embedded one. */
export interface EmbeddedJoint {
  readonly transport: OpenTransport;
  readonly keepAlive: 0;
  readonly world?: World;
}

/** Says nothing: the joint's transport goes nowhere else. */
export const embeddedUrl = "mqtt://localhost";

export function embeddedJoint(parts: EmbeddedParts, principal: string): EmbeddedJoint {
  const world = stillWorld(parts.host);
  return { transport: embeddedTransport(parts, principal), keepAlive: 0, ...(world !== undefined && { world }) };
}

/** Where the broker's time stands still, so does its clients': their waits end when the test moves it. */
function stillWorld({ clock, timers, random }: Host): World | undefined {
  if (timers.isStill !== true) return undefined;
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (milliseconds, run) => timers.after(milliseconds, run),
    random: () => Buffer.from(random.bytes(6)).readUIntBE(0, 6) / 2 ** 48,
    bytes: (length) => random.bytes(length),
  };
}

/**
 * Who an embedded client is: somebody of the policy, or `admin` for the program itself.
 *
 * @throws MessError for a name that nobody has: it would have no right at all, and be a misspelling
 */
export function checkPrincipal(policy: Policy, principal: string): void {
  if (principal === ADMIN_PRINCIPAL || Object.hasOwn(policy.principals, principal)) return;
  const nearest = nearestName(principal, [...Object.keys(policy.principals), ADMIN_PRINCIPAL]);
  const meant = nearest === undefined ? "" : `; do you mean "${nearest}"?`;
  throw new MessError("INVALID_ARGUMENT", `there is no principal "${principal}" in the policy${meant}`, {
    hint: "name it in the policy's section principals, with its roles",
  });
}
