/** A certificate or key that cannot be used. The message says which file, why, and how to mend it. */
export class CertificateError extends Error {
  /** 78 is configuration, 74 a failure to read or write a file (DESIGN section 8). */
  readonly exitCode: 74 | 78;

  constructor(message: string, exitCode: 74 | 78 = 78) {
    super(message);
    this.name = "CertificateError";
    this.exitCode = exitCode;
  }
}
