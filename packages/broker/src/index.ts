/** The broker as a library. */
export type { Policy } from "./model/policy.ts";
export { Broker, type BrokerOptions } from "./broker.ts";
export { serve, type ServeOptions } from "./main.ts";
export { exportKek, resetAdminKey, type OfflineOptions } from "./offline.ts";
export { StorageError } from "./storage/storage-error.ts";
export { nodeHost } from "./host/node-host.ts";
export { type KekOptions, loadKek } from "./storage/kek.ts";
export { type BadPosition, verifyJournal, type VerifyReport } from "./storage/verify.ts";
