import { certificateNameProblem } from "./certificate-name.ts";
import type { PolicyProblems } from "./policy-problems.ts";
import { exceeds } from "./policy-tables.ts";

const NAMES_PER_PRINCIPAL_MAX = 100;

/** Reads the `certificates` of the principals of one policy: a name stands for one principal. */
export class CertificateNamesCheck {
  readonly #problems: PolicyProblems;
  /** By name: where it stood first. */
  readonly #paths: Map<string, string> = new Map();

  constructor(problems: PolicyProblems) {
    this.#problems = problems;
  }

  /** `undefined` where the policy says nothing. */
  read(value: unknown, path: string): readonly string[] | undefined {
    const problems = this.#problems;
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) {
      problems.add(path, "is an array of names in client certificates", 'certificates = ["dns:device-1.example"]');
      return undefined;
    }
    if (exceeds(value.length, NAMES_PER_PRINCIPAL_MAX, `names in ${path}`, problems)) return undefined;
    for (const [index, name] of value.entries()) this.#check(name, `${path}[${index}]`);
    return value as string[];
  }

  #check(name: unknown, path: string): void {
    if (typeof name !== "string") {
      this.#problems.add(path, "is a name in quotes");
      return;
    }
    const problem = certificateNameProblem(name);
    if (problem !== undefined) return this.#problems.add(path, problem);
    const other = this.#paths.get(name);
    if (other !== undefined) {
      this.#problems.add(path, `is also in ${other}`, "a certificate stands for one principal: keep it in one place");
    } else this.#paths.set(name, path);
  }
}
