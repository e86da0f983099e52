import { derivedMark } from "../model/derived-principal.ts";
import { hasForbiddenCharacter } from "../model/topic-pattern.ts";

const NAME_BYTES_MAX = 128;
/**
 * Separator and wildcards of topics, and the braces of templates: a name with one could widen a grant (LESSONS 1). The
 * mark of derived names: a principal could pass for somebody's token.
 */
const RESERVED = ["+", "#", "/", "{", "}", derivedMark] as const;

/** Why `name` cannot name a principal (or a role: the grammar is one), or `undefined` when it can. */
export function principalNameProblem(name: string): string | undefined {
  if (name.length === 0) return "a name has at least one character";
  if (name.length > NAME_BYTES_MAX || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `a name has at most ${NAME_BYTES_MAX} bytes`;
  }
  if (hasForbiddenCharacter(name))
    return "a name holds no control characters or noncharacters and is well-formed Unicode";
  const found = RESERVED.find((character) => name.includes(character));
  if (found !== undefined) return `a name holds no \`${found}\` (nor any of ${RESERVED.join(" ")})`;
  if (name.startsWith("$")) return "a name does not begin with `$`: those topics are the broker's";
  if (name.trim() !== name) return "a name neither begins nor ends with a space";
  // An object key of this name changes the object's prototype in careless code elsewhere.
  if (name === "__proto__") return "this name is reserved";
  return undefined;
}
