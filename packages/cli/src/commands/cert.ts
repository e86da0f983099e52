import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface CertIssueOptions extends TargetOptions {
  readonly days: number;
  readonly out?: string;
  readonly csr?: string;
  readonly json?: boolean;
}

export interface CertListOptions extends TargetOptions {
  readonly json?: boolean;
}

export interface CertRevokeOptions extends TargetOptions {
  readonly yes?: boolean;
}

export interface CertCrlOptions extends TargetOptions {
  readonly out?: string;
}

/** Browsers and others take no longer one; the server refuses more too. */
const daysMax = 825;

/** `mess cert issue|list|revoke|crl` */
export function registerCert(program: Command, io: Io): void {
  const cert = program
    .command("cert")
    .summary("issue, list and revoke client certificates")
    .description("Issue, list and revoke client certificates, by which a client is known instead of by a key.");
  registerIssue(cert, io);
  registerListAndRevoke(cert, io);
  registerCrl(cert, io);
}

function registerIssue(cert: Command, io: Io): void {
  const issue = cert
    .command("issue")
    .summary("issue a certificate")
    .description(
      "Issue a client certificate for a principal of the policy. A private key is made here and does not leave this machine; both are written to new files, NAME.pem and NAME.key (0600).",
    )
    .argument("<principal>", "principal the certificate stands for")
    .option("--days <n>", "how long it is valid", wholeNumber("--days", 1, daysMax), 90)
    .option("--out <dir>", "directory to write to, this one if not given")
    .option("--csr <file>", "certificate request (PKCS #10, PEM) for a key made elsewhere; only its public key counts")
    .option("--json", "print serial number, principal, end and files as JSON");
  addTargetOptions(issue)
    .addHelpText(
      "after",
      examples([
        "mess cert issue sensor-7 --days 30 --out certificates",
        "mess cert issue sensor-7 --csr sensor-7.csr",
        "mess sub a/# --cert sensor-7.pem --cert-key sensor-7.key",
      ]),
    )
    .action(async (principal: string, options: CertIssueOptions) => {
      const { issueCertificate } = await import("../actions/cert.ts");
      await issueCertificate(io, principal, options);
    });
}

function registerListAndRevoke(cert: Command, io: Io): void {
  const list = cert
    .command("list")
    .alias("ls")
    .summary("list certificates")
    .description("List the certificates that the server issued and that have not expired.");
  addTargetOptions(list.option("--json", "print an object a line")).action(async (options: CertListOptions) => {
    const { listCertificates } = await import("../actions/cert.ts");
    await listCertificates(io, options);
  });
  const revoke = cert
    .command("revoke")
    .summary("revoke a certificate")
    .description("Revoke a certificate: connections made with it end at once.")
    .argument("<serial>", "serial number of the certificate");
  addTargetOptions(revoke.option("-y, --yes", "do not ask")).action(
    async (serial: string, options: CertRevokeOptions) => {
      const { revokeCertificate } = await import("../actions/cert.ts");
      await revokeCertificate(io, serial, options);
    },
  );
}

function registerCrl(cert: Command, io: Io): void {
  const crl = cert
    .command("crl")
    .summary("print the revocation list")
    .description(
      "Print the list of revoked certificates (PEM), for other programs that trust the server's client authority. The server itself needs none.",
    )
    .option("--out <file>", "write it to a file, over the one that is there");
  addTargetOptions(crl).action(async (options: CertCrlOptions) => {
    const { printRevocationList } = await import("../actions/cert.ts");
    await printRevocationList(io, options);
  });
}
