const NAME_LENGTH_MAX = 512;
const KINDS = ["uri:", "dns:"] as const;
/** What the broker writes into the certificates that it issues: no other authority may say that. */
const OWN_PREFIX = "uri:urn:mess:";

/**
 * Why `name` cannot be the name of a client certificate in a policy, or `undefined` when it can. Names are compared
 * byte by byte with the alternative names of a certificate: there is no wildcard, no case folding and no pattern, each
 * of which has let somebody in elsewhere (LESSONS 32).
 */
export function certificateNameProblem(name: string): string | undefined {
  const kind = KINDS.find((prefix) => name.startsWith(prefix));
  if (kind === undefined) return "begins with `uri:` or `dns:`; subjects and common names are never looked at";
  const rest = name.slice(kind.length);
  if (rest === "") return `has something after \`${kind}\``;
  if (rest.length > NAME_LENGTH_MAX) return `has at most ${NAME_LENGTH_MAX} characters after \`${kind}\``;
  if (!isVisible(rest)) return "is written in visible ASCII (an international domain name in its xn-- form)";
  if (rest.includes("*") && kind === "dns:") return "is one name: wildcards are not taken, list each name";
  if (name.startsWith(OWN_PREFIX)) return "is reserved for certificates of `mess cert issue`, which need no entry";
  return undefined;
}

function isVisible(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit <= 0x20 || unit >= 0x7f) return false;
  }
  return true;
}
