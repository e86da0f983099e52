import type { TopicLimits } from "./topic-name.ts";
export interface ParsedFilter { readonly text: string; readonly filter: string; readonly shareName: string | undefined; readonly wildcard: boolean; readonly levels: readonly string[] }
export interface FilterProblem { readonly reason: string }
export function isFilterProblem(p: ParsedFilter | FilterProblem): p is FilterProblem { return "reason" in p; }
export function parseFilter(text: string, limits: TopicLimits): ParsedFilter | FilterProblem {
  if (text === "") return { reason: "empty" };
  if (Buffer.byteLength(text) > limits.topicBytesMax) return { reason: "too long" };
  let filter = text;
  let shareName: string | undefined;
  if (text === "$share" || text.startsWith("$share/")) {
    const slash = text.indexOf("/", 7);
    if (slash < 0) return { reason: "share" };
    shareName = text.slice(7, slash);
    filter = text.slice(slash + 1);
    if (shareName === "" || /[+#]/.test(shareName) || filter === "" || filter.startsWith("$share/")) return { reason: "share" };
  }
  const levels = filter.split("/");
  if (levels.length > limits.topicLevelsMax) return { reason: "levels" };
  for (const [i, l] of levels.entries()) {
    if (l.includes("#") && (l !== "#" || i !== levels.length - 1)) return { reason: "#" };
    if (l.includes("+") && l !== "+") return { reason: "+" };
  }
  return { text, filter, shareName, wildcard: /[+#]/.test(filter), levels };
}
