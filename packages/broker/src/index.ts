/** The broker as a library. */
export type { Policy } from "./model/policy.ts";
export { Broker, type BrokerOptions } from "./broker.ts";
export { serve, type ServeOptions } from "./main.ts";
export { exportKek, resetAdminKey, type OfflineOptions } from "./offline.ts";
export { StorageError } from "./storage/storage-error.ts";
