import { request } from "node:https";
import { jwksBytesMax } from "./jwks.ts";

const deadlineMs = 5_000;

/**
 * GET of a key set over HTTPS, within 5 s and 256 KiB. Follows no redirect, sends no credential, and trusts `ca` (PEM)
 * alone, or without it what Node trusts. Rejects with an `Error`; nothing of the answer is in it.
 */
export function fetchJwks(url: string, ca?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/jwk-set+json, application/json", "accept-encoding": "identity" };
    const signal = AbortSignal.timeout(deadlineMs);
    const trusted = ca === undefined ? {} : { ca };
    const outgoing = request(url, { headers, agent: false, signal, minVersion: "TLSv1.2", ...trusted });
    const failed = (error: Error): void =>
      reject(signal.aborted ? new Error(`no whole answer within ${deadlineMs} ms`) : error);
    outgoing.on("error", failed);
    outgoing.on("response", (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const refuse = (why: string): void => {
        outgoing.destroy();
        reject(new Error(why));
      };
      if (answer.statusCode !== 200) return refuse(`it answered with HTTP ${answer.statusCode}`);
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > jwksBytesMax) refuse(`the key set is larger than ${jwksBytesMax} bytes`);
        else chunks.push(chunk);
      });
      answer.on("error", failed);
      answer.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    outgoing.end();
  });
}
