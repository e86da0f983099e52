/** The one-way arrow of ARCHITECTURE.md: which room of the house may import which. */
import { posix } from "node:path";
import type { Finding } from "./finding.ts";
import { isTestFile, type SourceFile } from "./source-file.ts";

const anythingButMain = "anything but main";

/**
 * Every room with the rooms it may import. A room is a package, a folder of the broker, or one of the broker's own
 * files. The order is the arrow: nobody imports a room further down. A room may always import itself.
 */
const rooms: ReadonlyMap<string, readonly string[]> = new Map([
  // 0
  ["wire", []],
  ["model", []],
  ["host-interface", []],
  ["config", ["model"]],
  // 1
  ["topics", ["model"]],
  ["subscriptions", ["model"]],
  ["delivery", ["model"]],
  ["security", ["model"]],
  ["schema", ["model"]],
  ["identity", ["model", "security"]],
  ["host", ["host-interface"]],
  // 2
  ["core", ["model", "config", "host-interface", "topics", "subscriptions", "delivery", "security"]],
  // 3
  ["storage", ["model", "host-interface"]],
  ["admin", ["wire", "model", "host-interface", "config", "identity", "topic-grammars"]],
  ["input", ["wire", "model", "host-interface", "config", "identity", "topic-grammars", "admin"]],
  // 4
  ["engine", ["model", "config", "host-interface", "core"]],
  ["administrator", ["model", "config", "host-interface", "identity", "security", "core", "engine"]],
  // 5: broker.ts and the files beside it, which know every part; and the client, to connect from the same process
  ["composition", [anythingButMain]],
  // 6: the process, and what the package offers
  ["main", [anythingButMain]],
  ["index", [anythingButMain, "main"]],
  // outside the broker
  ["client", ["wire"]],
  // the test double, which brings the whole broker
  ["client-testing", ["broker-package"]],
  ["cli", ["client", "broker-package"]],
]);

/** Broker folders and packages that compute only: no clock, randomness, files, sockets or async. */
export const pureRooms: ReadonlySet<string> = new Set([
  "wire",
  "model",
  "topics",
  "topic-grammars",
  "subscriptions",
  "delivery",
  "security",
  "schema",
  "core",
]);

const brokerSource = "packages/broker/src/";
const clientTesting = "packages/client/src/testing/";
const topicGrammars: readonly string[] = ["topics/topic-name.ts", "topics/topic-filter.ts"];

/** `undefined` for files that stand outside the arrow (tests, tools). */
export function roomOf(path: string): string | undefined {
  if (isTestFile(path)) return undefined;
  if (path.startsWith(clientTesting)) return "client-testing";
  if (!path.startsWith(brokerSource)) return path.split("/")[1];
  const inside = path.slice(brokerSource.length);
  if (inside === "host/host.ts") return "host-interface";
  if (topicGrammars.includes(inside)) return "topic-grammars";
  const [first = inside, ...rest] = inside.split("/");
  if (rest.length > 0) return first;
  const own = first.replace(/\.ts$/, "");
  // The administrator is several files: `administrator-rights.ts`, `queue-administrator.ts`, …
  if (own.split("-").includes("administrator")) return "administrator";
  return rooms.has(own) ? own : "composition";
}

export function checkLayers(file: SourceFile): Finding[] {
  const room = roomOf(file.path);
  if (room === undefined) return [];
  const findings: Finding[] = [];
  const report = (line: number, message: string): void => {
    findings.push({ path: file.path, line, rule: "layers", message });
  };
  const allowed = allowedOf(room);
  if (allowed === undefined) {
    report(1, `"${room}" has no place in the arrow; add it to tools/tidy/layers.ts and ARCHITECTURE.md`);
    return findings;
  }
  for (const { specifier, line } of file.imports) {
    const target = targetRoom(file.path, specifier);
    if (target === undefined || target === room || allowed.includes(target)) continue;
    if (allowed.includes(anythingButMain) && target !== "main") continue;
    report(line, `${room} may not import ${target} ("${specifier}")`);
  }
  return findings;
}

/** The two grammar files are part of `topics` for the arrow's sake, and may be imported alone. */
function allowedOf(room: string): readonly string[] | undefined {
  if (room === "topic-grammars") return [...(rooms.get("topics") ?? []), "topics"];
  const allowed = rooms.get(room);
  if (allowed === undefined) return undefined;
  return room === "topics" || allowed.includes("topics") ? [...allowed, "topic-grammars"] : allowed;
}

function targetRoom(from: string, specifier: string): string | undefined {
  if (specifier === "@mess/broker" || specifier === "@mess/broker/testing") return "broker-package";
  if (specifier === "@mess/client/testing") return "client-testing";
  // Further entries of a package (`@mess/client/signing`) are the package.
  if (specifier.startsWith("@mess/")) return specifier.split("/")[1];
  if (!specifier.startsWith(".")) return undefined;
  const target = posix.normalize(posix.join(posix.dirname(from), specifier));
  // A file that ships may not lean on one that does not.
  return roomOf(target) ?? "test files";
}
