/** The broker as a library, loaded late: a client command must not pay for a server. */
export function loadBroker(): Promise<typeof import("@mess/broker")> {
  return import("@mess/broker");
}
