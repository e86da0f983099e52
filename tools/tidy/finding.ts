/** One breach of a house rule. */
export interface Finding {
  /** Relative to the repository root. */
  readonly path: string;
  /** 1-based. */
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

export function findingText(finding: Finding): string {
  return `${finding.path}:${finding.line}: ${finding.rule}: ${finding.message}`;
}
