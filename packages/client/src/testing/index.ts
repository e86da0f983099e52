/** A broker for tests: the real one, in memory, without sockets, and with a clock that the test moves. */
export { type MemoryBroker, type MemoryBrokerOptions, memoryBroker } from "./memory-broker.ts";
