/** Pure rooms compute only: the same input gives the same output in the broker, the simulator and a browser. */
import ts from "typescript";
import type { Finding } from "./finding.ts";
import { pureRooms, roomOf } from "./layers.ts";
import { eachNode, lineOf, type SourceFile } from "./source-file.ts";

const worldNames: ReadonlySet<string> = new Set([
  "Date",
  "process",
  "performance",
  "fetch",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "console",
  "crypto",
]);

export function checkPurity(file: SourceFile): Finding[] {
  const room = roomOf(file.path);
  if (room === undefined || !pureRooms.has(room)) return [];
  const findings: Finding[] = [];
  const report = (line: number, what: string): void => {
    findings.push({ path: file.path, line, rule: "purity", message: `${room} is pure: ${what} is not for it` });
  };
  for (const { specifier, line } of file.imports) {
    if (!specifier.startsWith(".") && !specifier.startsWith("@mess/")) report(line, `import of "${specifier}"`);
  }
  eachNode(file.tree, (node) => {
    const what = worldly(node);
    if (what !== undefined) report(lineOf(file.tree, node), what);
  });
  return findings;
}

function worldly(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitKeyword) return "async";
  if (ts.isAwaitExpression(node)) return "await";
  if (ts.isPropertyAccessExpression(node) && node.getText() === "Math.random") return "Math.random";
  if (!ts.isIdentifier(node) || !worldNames.has(node.text) || isMemberName(node)) return undefined;
  return node.text;
}

/** `journal.fetch` is a verb of ours, the global `fetch` is the network. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  const named =
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyAssignment(parent);
  return named && parent.name === node;
}
