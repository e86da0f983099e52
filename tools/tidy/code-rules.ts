/** Rules over the syntax of every source file that the linter does not have. */
import ts from "typescript";
import type { Finding } from "./finding.ts";
import { eachNode, isTestFile, lineOf, type SourceFile } from "./source-file.ts";

export function checkCode(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const report = (line: number, rule: string, message: string): void => {
    findings.push({ path: file.path, line, rule, message });
  };
  // Tests may try it, to see it refused.
  const ships = !isTestFile(file.path);
  for (const { specifier, line } of file.imports) {
    if (ships && /^(node:)?vm$/.test(specifier)) {
      report(line, "no-code-from-data", "node:vm runs code from strings (LESSONS 38)");
    }
    if (specifier.startsWith(".") && !/\.(ts|json|js)$/.test(specifier)) {
      report(line, "import-suffix", `relative import "${specifier}" needs its .ts suffix`);
    }
  }
  eachNode(file.tree, (node) => {
    const problem = ships ? codeFromData(node) : undefined;
    if (problem !== undefined) report(lineOf(file.tree, node), "no-code-from-data", problem);
    if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) {
      report(lineOf(file.tree, node), "no-any", "`as any` switches the compiler off; narrow, or use `unknown`");
    }
  });
  return findings;
}

function codeFromData(node: ts.Node): string | undefined {
  if (ts.isCallExpression(node)) {
    const callee = node.expression;
    if (ts.isIdentifier(callee) && callee.text === "eval") return "eval runs code from strings";
    if (ts.isIdentifier(callee) && callee.text === "Function") return "Function() runs code from strings";
    const [argument] = node.arguments;
    if (callee.kind === ts.SyntaxKind.ImportKeyword && argument !== undefined && !ts.isStringLiteralLike(argument)) {
      return "import() of a name that is not a literal loads code by data";
    }
  }
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "Function") {
    return "new Function() runs code from strings";
  }
  return undefined;
}
