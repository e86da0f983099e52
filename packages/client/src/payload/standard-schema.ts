/**
 * The part of the Standard Schema specification (standardschema.dev, version 1) that is used here: zod, valibot, arktype and
 * others implement it, so that no library is preferred and none is needed.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** `/items/0/name: is required`, for the first few of them. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  const most = 3;
  const told = issues.slice(0, most).map(({ message, path = [] }) => {
    const where = path.map((part) => `/${String(typeof part === "object" ? part.key : part)}`).join("");
    return where === "" ? message : `${where}: ${message}`;
  });
  const more = issues.length > most ? `; and ${issues.length - most} more` : "";
  return (told.join("; ") || "it is not valid") + more;
}
