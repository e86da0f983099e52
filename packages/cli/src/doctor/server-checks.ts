import { X509Certificate } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import tls from "node:tls";
import { connectMqtt, parseAddress } from "@mess/client";
import { connectOptions } from "../actions/with-client.ts";
import { describeError } from "../describe-error.ts";
import type { Finding, Patient } from "./finding.ts";

const deadlineMs = 5000;
const dayMs = 86_400_000;
const daysWarn = 14;

/** `server.mqtt`: connects with the key at hand. */
export async function checkMqtt({ target, signal }: Patient): Promise<readonly Finding[]> {
  const id = "server.mqtt";
  if (target === undefined) {
    return [
      { id, status: "warn", text: "no server is known", fix: "start one (mess serve), or pair with one (mess pair)" },
    ];
  }
  try {
    const client = await connectMqtt(target.url, { ...connectOptions(target), signal, connectTimeout: deadlineMs });
    await client.disconnect({ timeout: 1000 });
    return [{ id, status: "ok", text: `${target.url} accepts the key` }];
  } catch (error) {
    const { message, hint } = describeError(error);
    return [{ id, status: "fail", text: message, ...(hint !== undefined && { fix: hint }) }];
  }
}

/** `server.ready`: asks `/readyz`. */
export async function checkReady({ target, signal }: Patient): Promise<readonly Finding[]> {
  if (target?.httpUrl === undefined) return [];
  const id = "server.ready";
  const url = new URL("/readyz", target.httpUrl);
  const options = { agent: false, signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]) };
  const status = await new Promise<number | Error>((resolve) => {
    const outgoing =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, ...(target.ca !== undefined && { ca: target.ca }) })
        : httpRequest(url, options);
    outgoing.on("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.on("error", resolve).end();
  });
  if (status === 200) return [{ id, status: "ok", text: `${url.origin} is ready` }];
  if (status instanceof Error)
    return [
      { id, status: "fail", text: `${url.origin} does not answer: ${status.message}`, fix: "is the server running?" },
    ];
  return [
    {
      id,
      status: "fail",
      text: `${url.origin} says it is not ready (HTTP ${status})`,
      fix: "look into its log: it drains, or its disk failed",
    },
  ];
}

/** `certificate.ca` and `certificate.server`: days left. */
export async function checkCertificates({ target, local, now, signal }: Patient): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const ca = local?.ca ?? target?.ca;
  if (ca !== undefined) findings.push(daysLeft("certificate.ca", "the CA", ca, now));
  if (target !== undefined && /^(mqtts|ssl|mqtt\+ssl):/u.test(target.url)) {
    const certificate = await presented(target.url, signal);
    if (certificate !== undefined)
      findings.push(daysLeft("certificate.server", "the server's certificate", certificate, now));
  }
  return findings;
}

function daysLeft(id: string, what: string, certificate: string | Buffer, now: number): Finding {
  let until: number;
  try {
    until = Date.parse(new X509Certificate(certificate).validTo);
  } catch {
    return { id, status: "fail", text: `${what} cannot be read`, fix: "get it again from the server" };
  }
  const days = Math.floor((until - now) / dayMs);
  if (days < 0)
    return {
      id,
      status: "fail",
      text: `${what} ran out ${-days} days ago`,
      fix: "renew it; mess renews its own at start",
    };
  if (days < daysWarn)
    return {
      id,
      status: "warn",
      text: `${what} runs out in ${days} days`,
      fix: "renew it; mess renews its own by itself",
    };
  return { id, status: "ok", text: `${what} is good for ${days} days` };
}

/** What the server shows, trusted or not: only its date is read, nothing is sent. */
function presented(url: string, signal: AbortSignal): Promise<Buffer | undefined> {
  const { host, port } = parseAddress(url);
  return new Promise((resolve) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls.connect({ host, port, minVersion: "TLSv1.2", rejectUnauthorized: false, ...name });
    const end = (certificate?: Buffer): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(certificate);
    };
    const abort = (): void => end();
    signal.addEventListener("abort", abort, { once: true });
    socket.setTimeout(deadlineMs, () => end());
    socket.once("error", () => end());
    socket.once("secureConnect", () => end(socket.getPeerCertificate().raw));
  });
}
