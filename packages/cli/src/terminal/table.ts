export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Rows as aligned text, with a line of titles, two spaces between columns and none at line ends. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => textWidth(line[index] ?? ""))));
  return lines.map((line) => formatLine(columns, widths, line)).join("");
}

/** Names and values below one another, for one thing. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields
    .map(([name, value]) => `${name.padEnd(width)}  ${oneLine(value)}`.trimEnd())
    .join("\n")
    .concat("\n");
}

function formatLine(columns: readonly Column[], widths: readonly number[], line: readonly string[]): string {
  const cells = columns.map((column, index) => {
    const text = oneLine(line[index] ?? "");
    const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - textWidth(text)));
    return column.align === "right" ? space + text : text + space;
  });
  return `${cells.join("  ").trimEnd()}\n`;
}

function textWidth(text: string): number {
  return [...oneLine(text)].length;
}

/** As `printable`, and on one line: a name with a line break in it must not pass for a row of its own. */
function oneLine(text: string): string {
  return printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** Names and payloads come from others: control characters could rewrite the screen (threat A3), so they show as \xNN. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    escapeCharacter,
  );
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}
