/** A certificate or key that cannot be used. The message says which file, why, and how to mend it. */
export class CertificateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CertificateError";
  }
}
