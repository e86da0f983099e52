import { readFileSync } from "node:fs";

/** Assumed where the system does not tell. */
const fallback = 1_024;

/** How many descriptors this process may open. Node raises the soft limit to the hard one at start. */
export function openDescriptorsMax(): number {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    const soft = line?.[1];
    return soft === undefined || soft === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(soft);
  } catch {
    return fallback;
  }
}
