import { isIP } from "node:net";
import tls from "node:tls";
import type { Address } from "@mess/client";
import { CliError, configurationError, usageError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";

const deadlineMs = 15_000;
/** Longer chains do not occur. */
const chainMax = 10;

/**
 * Gets the certificate with this fingerprint from the chain the server presents. The connection is not trusted and
 * nothing is sent over it: what makes the certificate good is the fingerprint, which the user got from elsewhere.
 *
 * @returns PEM
 */
export async function fetchCa(address: Address, fingerprint: string, signal: AbortSignal): Promise<string> {
  const wanted = fingerprint.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/u.test(wanted)) throw usageError("--ca-sha256 must be 64 hexadecimal digits, colons allowed");
  if (!address.secure) throw usageError("--ca-sha256 needs an mqtts:// address");
  let certificate: tls.DetailedPeerCertificate | undefined = await presented(address, signal);
  for (let index = 0; index < chainMax && certificate?.raw !== undefined; index += 1) {
    if (certificate.fingerprint256.replaceAll(":", "").toLowerCase() === wanted) return pem(certificate.raw);
    const issuer: tls.DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    certificate = issuer === certificate ? undefined : issuer;
  }
  throw configurationError(
    `${address.host} presents no certificate with that fingerprint`,
    "check the fingerprint; if it is right this may be an attack, or the server does not present its CA: copy its ca.pem and use --ca",
  );
}

function presented(address: Address, signal: AbortSignal): Promise<tls.DetailedPeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: address.host,
      port: address.port,
      minVersion: "TLSv1.2",
      rejectUnauthorized: false,
      ...(isIP(address.host) === 0 && { servername: address.host }),
    });
    const fail = (error: unknown): void => {
      socket.destroy();
      const text = error instanceof Error ? error.message : String(error);
      reject(
        signal.aborted
          ? signal.reason
          : new CliError(
              ExitCode.unreachable,
              `cannot get a certificate from ${address.host}:${address.port}: ${text}`,
            ),
      );
    };
    const aborted = (): void => fail(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    socket.setTimeout(deadlineMs, () => fail(new Error("no answer in time")));
    socket.once("error", fail);
    socket.once("close", () => signal.removeEventListener("abort", aborted));
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate(true);
      socket.destroy();
      resolve(certificate);
    });
  });
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/gu) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
