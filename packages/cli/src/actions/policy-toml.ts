type Table = Readonly<Record<string, unknown>>;

/**
 * A policy, as the server gives it in JSON, as the TOML a person would write: `[roles.shop]`, and each grant on a line.
 * (A general TOML writer makes a table of every grant.)
 */
export function policyToml(policy: Table): string {
  const sections = Object.entries(policy).flatMap(([kind, members]) =>
    isTable(members)
      ? Object.entries(members).map(([name, fields]) => section(`${key(kind)}.${key(name)}`, fields))
      : [],
  );
  return sections.length === 0 ? "# the policy is empty\n" : sections.join("\n");
}

function section(name: string, fields: unknown): string {
  const lines = isTable(fields)
    ? Object.entries(fields).map(([field, value]) => {
        // TOML has no null, and a JSON Schema may hold one: it is written as JSON.
        const written = field === "schema" ? text(JSON.stringify(value)) : block(value);
        return `${key(field)} = ${written}\n`;
      })
    : [];
  return `[${name}]\n${lines.join("")}`;
}

function block(value: unknown): string {
  if (!Array.isArray(value) || !value.some(isTable)) return inline(value);
  return `[\n${value.map((item) => `  ${inline(item)},\n`).join("")}]`;
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (isTable(value))
    return `{ ${Object.entries(value)
      .map(([name, field]) => `${key(name)} = ${inline(field)}`)
      .join(", ")} }`;
  return typeof value === "string" ? text(value) : String(value);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function key(name: string): string {
  return /^[A-Za-z0-9_-]+$/u.test(name) ? name : text(name);
}

/** A basic string: JSON's escapes are TOML's, but for U+007F, which TOML wants escaped. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
