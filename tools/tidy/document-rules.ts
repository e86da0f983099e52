/** Rules over the pages: what they point at must be there. */
import { posix } from "node:path";
import type { Finding } from "./finding.ts";

const link = /\]\(([^)\s]+)\)/g;
/** A path in back-ticks that begins like one of ours. */
const mention = /`((?:packages|docs|tools|test|attacks|bench|\.ci)\/[\w./*-]+)`/g;

/** `exists` answers for files and folders of the repository, by path relative to its root. */
export function checkDocument(path: string, text: string, exists: (path: string) => boolean): Finding[] {
  const findings: Finding[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    for (const target of targets(path, line)) {
      if (exists(target)) continue;
      findings.push({ path, line: number, rule: "dead-link", message: `nothing at ${target}` });
    }
  }
  return findings;
}

function targets(path: string, line: string): string[] {
  const found: string[] = [];
  for (const [, target = ""] of line.matchAll(link)) {
    if (/^([a-z]+:|#)/.test(target)) continue;
    found.push(posix.normalize(posix.join(posix.dirname(path), target.replace(/#.*$/, ""))));
  }
  for (const [, target = ""] of line.matchAll(mention)) {
    if (!target.includes("*")) found.push(posix.normalize(target));
  }
  return found.map((target) => target.replace(/\/$/, ""));
}
