/** The audit trail as the administrative side offers it. */

export interface AuditRecord {
  /** Its number in the journal; it keeps it when it is copied forward. */
  readonly seq: number;
  /** Wall-clock milliseconds. */
  readonly at: number;
  /** `auth.fail`, `acl.deny`, `policy.applied`, … */
  readonly event: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

export interface AuditRequest {
  /** Number to begin at; 0: the oldest that is kept. */
  readonly from: number;
  /** Records of a page. */
  readonly limit: number;
  /** One event, or all that begin alike: `acl.*`. */
  readonly event?: string;
  /** Who did it, or to whom it was done. */
  readonly principal?: string;
  /** Wall-clock milliseconds: not before, and before. */
  readonly since?: number;
  readonly until?: number;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** Where to go on; later, if there is no more now. */
  readonly next: number;
  readonly more: boolean;
}
