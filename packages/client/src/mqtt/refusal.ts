import { type Properties, reasonName } from "@mess/wire";
import { MessError, type MessErrorCode } from "../mess-error.ts";

const notAuthorized: ReadonlySet<number> = new Set([0x86, 0x87, 0x8c]);

const hints: Readonly<Record<number, string>> = {
  0x84: "try the other version (5 or 3.1.1)",
  0x85: "choose another client id",
  0x86: "check the key id and its secret",
  0x87: "the key's roles do not allow this: `mess why` explains",
  0x8e: "another connection of this principal took the client id",
  0x95: "send a smaller message",
  0x97: "a quota is reached: wait for consumers to catch up",
};

/** The server's "no" as an error. `what` begins the message: "the message was refused". */
export function refusal(what: string, reasonCode: number, properties?: Properties): MessError {
  const name = reasonName(reasonCode);
  const said = properties?.reasonString;
  const code = `0x${reasonCode.toString(16).padStart(2, "0")}`;
  return new MessError(kind(reasonCode), `${what}: ${said ?? name} (${code}${said === undefined ? "" : ` ${name}`})`, {
    reasonCode,
    reason: said ?? name,
    hint: hints[reasonCode],
    serverReference: properties?.serverReference,
  });
}

function kind(reasonCode: number): MessErrorCode {
  if (notAuthorized.has(reasonCode)) return "NOT_AUTHORIZED";
  return reasonCode === 0x95 ? "TOO_LARGE" : "REFUSED";
}
