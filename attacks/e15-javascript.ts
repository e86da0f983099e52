import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const none = hasNone("is not written in JavaScript");

/** What makes patterns with nested repetition take for ever: much of the same, and an end that does not fit. */
const seeds = [
  "a",
  "0",
  " ",
  "\t",
  "/",
  "a/",
  "+",
  "-",
  ".",
  "a.",
  "A",
  "\\",
  '"',
  "a,",
  "=",
  "a=b;",
  "%20",
  "\n",
  "_",
  ":",
  "{a}",
  "[",
  "]",
  "é",
];
const dresses: readonly ((text: string) => string)[] = [
  (text) => `${text}\u0000`,
  (text) => `x${text}!`,
  (text) => `"${text}`,
];
const repeated = 10_000;
const noticeableMs = 10;

export const e15 = attack({
  id: "E15",
  title: "Prototype pollution and regular expressions",
  threat: "Names in JSON reach the prototype of all objects; a text makes a regular expression take for ever.",
  mitigation:
    "Bodies are checked by schemas; no regular expression is built from what a client sent; patterns of schemas are run by an own matcher that cannot backtrack.",
  ways: ["https", "source"],
  steps: [
    { name: "names of the prototype in every body", run: pollution, elsewhere: none },
    { name: "a pattern of a schema that backtracks", run: schemaPattern, elsewhere: none },
    {
      name: "every regular expression that ships, with texts made to hold it up",
      run: shippedExpressions,
      elsewhere: none,
    },
  ],
});

async function pollution(arena: Arena): Promise<void> {
  const who = await arena.principal("everything");
  const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];
  for (const name of names) {
    // parsed, since a literal would set the prototype instead of a property of that name
    const evil = JSON.parse(`{"${name}":{"polluted":true,"isAdmin":true,"limit":1}}`) as object;
    const attempts: readonly (readonly [string, string, object])[] = [
      ["PUT", `/v1/subscriptions/${name}`, { filters: ["a"], ...evil }],
      ["PUT", `/v1/topics/${name}`, evil],
      ["POST", "/v1/subscriptions/x/pull", evil],
      ["POST", "/v1/subscriptions/x/ack", { tokens: [], ...evil }],
      ["PUT", "/v1/policy", { roles: evil }],
      ["POST", "/v1/keys", { name: "x", roles: [name] }],
    ];
    for (const [method, path, body] of attempts) {
      const { status, text } = await arena.ask(who, path, { method, body });
      hold(status >= 400 && status < 500, `${method} ${path} with ${name} is answered ${status} ${text}`);
    }
    const line = `{"topic":"a","payload":"x","headers":{"${name}":"1"},"${name}":{"polluted":true}}\n`;
    const question = { method: "POST", body: line, headers: { "content-type": "application/x-ndjson" } };
    const { status } = await arena.ask(who, "/v1/batch", question);
    hold(status >= 400 && status < 500, `a batch with ${name} is answered ${status}`);
  }
  const { text } = await arena.ask(who, "/v1/whoami");
  hold(!/polluted|isAdmin/.test(text), "the prototype of all objects was changed");
}

async function schemaPattern(arena: Arena): Promise<void> {
  const who = await arena.principal("everything");
  for (const pattern of ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^([a-z]+)*$", "(.*)(.*)(.*)(.*)x", "^(a?){30}a{30}$"]) {
    const filter = `/v1/topics/${encodeURIComponent(who.topic("checked"))}`;
    const schema = { type: "string", pattern };
    const declared = await arena.ask(who, filter, { method: "PUT", body: { schema } });
    if (declared.status >= 400) continue;
    const began = performance.now();
    const path = `/v1/messages?topic=${encodeURIComponent(who.topic("checked"))}`;
    await arena.ask(who, path, { method: "POST", body: `${"a".repeat(100_000)}!` });
    await arena.unharmed();
    hold(
      performance.now() - began < 3_000,
      `${pattern} holds the broker up for ${Math.round(performance.now() - began)} ms`,
    );
  }
}

/** The expressions of files that ship, as they stand there. */
function expressions(): Map<string, RegExp> {
  const found = new Map<string, RegExp>();
  for (const name of ["wire", "broker", "client", "cli"]) {
    const source = join(root, "packages", name, "src");
    for (const file of readdirSync(source, { recursive: true }) as string[]) {
      if (!file.endsWith(".ts") || /\.(test|test-data|bench)\.ts$/.test(file)) continue;
      const tree = ts.createSourceFile(file, readFileSync(join(source, file), "utf8"), ts.ScriptTarget.ES2023);
      const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node)) {
          const end = node.text.lastIndexOf("/");
          const expression = new RegExp(node.text.slice(1, end), node.text.slice(end + 1).replace("y", "g"));
          found.set(`${name}/src/${file}: ${node.text}`, expression);
        }
        ts.forEachChild(node, visit);
      };
      visit(tree);
    }
  }
  return found;
}

async function shippedExpressions(): Promise<void> {
  const all = expressions();
  if (all.size < 20) throw new Error(`only ${all.size} expressions were found`);
  const slow = new Set<string>();
  for (const [where, expression] of all) {
    for (const seed of seeds) {
      for (const dress of dresses) {
        if (!isLinear(expression, seed, dress)) slow.add(`${where} with ${JSON.stringify(seed)} repeated`);
      }
    }
  }
  hold(slow.size === 0, `not linear: ${[...slow].join("; ")}`);
}

/** Twice the text must not take four times as long; short times say nothing. */
function isLinear(expression: RegExp, seed: string, dress: (text: string) => string): boolean {
  const once = timeOf(expression, dress(seed.repeat(Math.ceil(repeated / seed.length))));
  if (once < noticeableMs) return true;
  const twice = timeOf(expression, dress(seed.repeat(Math.ceil((2 * repeated) / seed.length))));
  return twice < 3 * timeOf(expression, dress(seed.repeat(Math.ceil(repeated / seed.length))));
}

function timeOf(expression: RegExp, text: string): number {
  expression.lastIndex = 0;
  const began = performance.now();
  expression.test(text);
  return performance.now() - began;
}
