/** `docs/sdk-reference.md`: everything that `@mess/client` exports, from its docstrings and signatures. */
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../", import.meta.url));
const entry = `${root}packages/client/src/index.ts`;

/** In this order, and each by the folder or file in which its declarations lie; the last takes what is left. */
const sections: readonly (readonly [title: string, places: RegExp])[] = [
  ["Connecting", /\/(connect|connect-options|mess|world|duration|connection\/[\w-]+)\.ts$/],
  ["Topics", /\/(topic|publish|payload)\/[\w-]+\.ts$/],
  ["Queues", /\/queue\/[\w-]+\.ts$/],
  ["Streams", /\/stream\/[\w-]+\.ts$/],
  ["Requests", /\/request\/[\w-]+\.ts$/],
  ["Errors and traces", /\/(mess-error|trace)\.ts$/],
  ["Plain MQTT and transports", /./],
];

const introduction = `# SDK reference

Everything that \`@mess/client\` exports; the guide is [sdk.md](sdk.md). Made from the source by \`npm run docs\`. Where nothing
else is said, times are milliseconds and sizes are bytes.
`;

export function renderSdkReference(): string {
  const exported = readExports();
  const parts = sections.map(([title], index) => {
    const own = exported.filter(({ file }) => sections.findIndex(([, places]) => places.test(file)) === index);
    return `## ${title}\n\n${own.map(({ text }) => text).join("\n")}`;
  });
  return `${introduction}\n${parts.join("\n")}`;
}

interface Exported {
  readonly file: string;
  readonly text: string;
}

function readExports(): Exported[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.check.json`, ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [entry] }, ts.sys, root);
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} exports nothing`);
  return checker
    .getExportsOfModule(module)
    .map((symbol) => ((symbol.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(symbol) : symbol))
    .filter((symbol) =>
      symbol.declarations?.some(({ parent }) => parent.getSourceFile().fileName.includes("/client/src/")),
    )
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
    .map((symbol) => ({
      file: symbol.declarations?.[0]?.getSourceFile().fileName ?? "",
      text: describeSymbol(symbol, checker),
    }));
}

/** What one begins with comes first: functions, then classes, then what they take. */
function rank({ flags }: ts.Symbol): number {
  if ((flags & ts.SymbolFlags.Function) !== 0) return 0;
  return (flags & ts.SymbolFlags.Class) !== 0 ? 1 : 2;
}

function describeSymbol(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const [declaration] = symbol.declarations ?? [];
  const head = `### ${symbol.name}\n\n${paragraph(symbol, checker)}`;
  if (declaration === undefined) return head;
  if (ts.isFunctionDeclaration(declaration)) return `${head}${code(signature(declaration))}`;
  if (ts.isClassDeclaration(declaration)) return `${head}${heritage(declaration)}${members(declaration, checker)}`;
  if (ts.isInterfaceDeclaration(declaration)) return `${head}${heritage(declaration)}${members(declaration, checker)}`;
  if (ts.isTypeAliasDeclaration(declaration)) return `${head}${alias(declaration)}`;
  throw new Error(`${symbol.name} is of a kind that this page does not know`);
}

function heritage(declaration: ts.ClassDeclaration | ts.InterfaceDeclaration): string {
  const parameters = declaration.typeParameters?.map((parameter) => oneLine(parameter)).join(", ");
  const bases = declaration.heritageClauses?.map((clause) => oneLine(clause)).join(" ");
  const text = [parameters === undefined ? "" : `\`<${parameters}>\``, bases === undefined ? "" : `\`${bases}\``];
  const line = text.filter((part) => part !== "").join(" ");
  return line === "" ? "" : `${line}\n\n`;
}

function members(declaration: ts.ClassDeclaration | ts.InterfaceDeclaration, checker: ts.TypeChecker): string {
  const lines: string[] = [];
  let before = "";
  for (const member of declaration.members) {
    if (isHidden(member) || implementsOverloads(member, declaration)) continue;
    const symbol = member.name === undefined ? undefined : checker.getSymbolAtLocation(member.name);
    const documented = symbol ?? (member as unknown as { readonly symbol?: ts.Symbol }).symbol;
    const said = documented === undefined ? "" : sentence(documented, checker);
    // Overloads share their words.
    const words = said === before ? "" : said;
    before = said;
    lines.push(`- \`${signature(member)}\`${words === "" ? "" : `: ${words}`}`);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** The body behind overloads: nobody calls it by its own signature. */
function implementsOverloads(
  member: ts.Node,
  { members: all }: ts.ClassDeclaration | ts.InterfaceDeclaration,
): boolean {
  if (!ts.isMethodDeclaration(member) || member.body === undefined) return false;
  const name = member.name.getText();
  return all.some(
    (other) => ts.isMethodDeclaration(other) && other.body === undefined && other.name.getText() === name,
  );
}

/** Private ones, and those that say so. */
function isHidden(member: ts.ClassElement | ts.TypeElement): boolean {
  if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return true;
  const comments = ts.getJSDocCommentsAndTags(member).map((comment) => comment.getText());
  return comments.some((comment) => comment.includes("Not for callers"));
}

/** The declaration without its body. */
function signature(node: ts.Node): string {
  const body = (node as { readonly body?: ts.Node }).body;
  const initializer = (node as { readonly initializer?: ts.Node }).initializer;
  const text = node.getSourceFile().text;
  let end = node.end;
  if (body !== undefined) end = body.getFullStart();
  else if (initializer !== undefined && !ts.isParameter(node)) end = text.lastIndexOf("=", initializer.getStart());
  const plain = text.slice(node.getStart(), end).replace(/\s+/gu, " ").trim();
  return plain
    .replace(/^(export |async |override |readonly )+/u, "")
    .replace(/;$/u, "")
    .replace(/[,;]? \}/gu, " }")
    .replace(/\( /gu, "(")
    .replace(/, \)/gu, ")");
}

function alias(declaration: ts.TypeAliasDeclaration): string {
  if (!ts.isUnionTypeNode(declaration.type)) return code(oneLine(declaration).replace(/^export /u, ""));
  const { text } = declaration.getSourceFile();
  const variants = declaration.type.types.map((type) => {
    const ranges = ts.getLeadingCommentRanges(text, type.getFullStart()) ?? [];
    const before = ts.getLeadingCommentRanges(text, text.lastIndexOf("|", type.getStart()) - 1) ?? [];
    const comment = [...before, ...ranges].map(({ pos, end }) =>
      text
        .slice(pos, end)
        .replace(/^\/\*\*|\*\/$/gu, "")
        .trim(),
    );
    return { type: oneLine(type), comment: comment.join(" ") };
  });
  if (variants.every(({ comment }) => comment === "")) return code(oneLine(declaration).replace(/^export /u, ""));
  return `${variants.map(({ type, comment }) => `- \`${type}\`: ${comment}`).join("\n")}\n`;
}

function oneLine(node: ts.Node): string {
  return node
    .getText()
    .replace(/\/\*\*.*?\*\//gsu, " ")
    .replace(/\s+/gu, " ")
    .trim();
}

function code(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}

function paragraph(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const words = sentence(symbol, checker);
  return words === "" ? "" : `${words}\n\n`;
}

function sentence(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const tags = symbol.getJsDocTags(checker).map(({ name, text: parts }) => {
    const words = ts.displayPartsToString(parts);
    if (name === "throws") return `Throws ${words}.`;
    return name === "returns" ? `Returns ${words}.` : name === "param" ? `\`${words.replace(" ", "`: ")}.` : words;
  });
  return [text, ...tags].join(" ").replace(/\s+/gu, " ").trim();
}
