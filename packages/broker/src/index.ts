/** The broker as a library. */

export {
  type Addresses,
  Broker,
  type BrokerOptions,
} from "./broker.ts";
export type { EmbeddedMqttOptions, EmbeddedOptions } from "./embedded-client.ts";
export { nodeHost } from "./host/node-host.ts";
export { type CertificateRequest, newCertificateRequest } from "./input/certificate-request.ts";
export { type ServeOptions, serve } from "./main.ts";
export type { Backup } from "./model/backup.ts";
export type { Policy } from "./model/policy.ts";
export type { KekRotated } from "./model/storage-administration.ts";
export { exportKek, newKek, type OfflineOptions, resetAdminKey } from "./offline.ts";
export { backupOffline, type RestoreFileOptions, restoreOffline } from "./offline-backup.ts";
export { type RotateKekOptions, rotateKekOffline } from "./offline-keys.ts";
export { type RepairOfflineOptions, type RepairOutcome, repairOffline } from "./offline-repair.ts";
export type { ListenerOptions, OpenOptions } from "./open-options.ts";
export { StartError } from "./start-error.ts";
export { type ReadArchive, readArchive } from "./storage/archive-reader.ts";
export { type KekOptions, loadKek } from "./storage/kek.ts";
export type { RestoreReport } from "./storage/restore.ts";
export { StorageError } from "./storage/storage-error.ts";
export { type BadPosition, type VerifyReport, verifyJournal } from "./storage/verify.ts";
