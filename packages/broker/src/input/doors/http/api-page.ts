/** The description of the API as a page for people: one static document, without scripts, from the same table. */
import { createHash } from "node:crypto";
import { type JsonForm, jsonSchemaOf } from "./fields.ts";
import { problemsOf, rightOf, templateOf } from "./open-api.ts";
import { problemStatus } from "./problem.ts";
import type { Route } from "./route.ts";

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid #8886; }
section { margin: 2rem 0; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { padding: 0.75rem; overflow-x: auto; background: #8881; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; border-top: 1px solid #8883; }
nav a { margin-right: 1rem; }
`;

export interface ApiPage {
  readonly html: string;
  /** A policy that allows this page its own style, and nothing else. */
  readonly contentSecurityPolicy: string;
}

export function apiPage(routes: readonly Route[]): ApiPage {
  const groups = [...new Set(routes.map(({ group }) => group))];
  const links = groups.map((group) => `<a href="#${anchor(group)}">${escaped(group)}</a>`).join("\n");
  const parts = groups.map((group) => {
    const own = routes.filter((route) => route.group === group).map(section);
    return `<h2 id="${anchor(group)}">${escaped(group)}</h2>\n${own.join("\n")}`;
  });
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mess: HTTP API</title>
<style>${STYLE}</style>
<h1>mess: HTTP API</h1>
<p>The same as <a href="/openapi.json">openapi.json</a>. Send <code>Authorization: Bearer ID.SECRET</code>.
Refusals are <code>application/problem+json</code>; their <code>type</code> is stable.</p>
<nav>${links}</nav>
${parts.join("\n")}
</html>
`;
  const hash = createHash("sha256").update(STYLE).digest("base64");
  return { html, contentSecurityPolicy: `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'` };
}

function section(route: Route): string {
  const name = `${route.method} ${templateOf(route.path)}`;
  const answers = Object.entries(route.answers).map(([status, { description }]) => row(status, description));
  const problems = problemsOf(route).map((code) => row(String(problemStatus(code)), `\`${code}\``));
  return `<section id="${anchor(name)}">
<h3><code>${escaped(name)}</code></h3>
<p>${prose(route.summary)} ${prose(rightOf(route))}</p>
${members("Query", jsonSchemaOf(route.query))}${route.requestHeaders ? members("Headers", jsonSchemaOf(route.requestHeaders)) : ""}${body(route)}
<details><summary>Answers</summary><table>${[...answers, ...problems].join("")}</table></details>
</section>`;
}

function body(route: Route): string {
  const { body: form, bodySchema, bodyDescription } = route;
  if (form === undefined) return "";
  const schema = form === "lines" ? bodySchema : typeof form === "string" ? undefined : form;
  const said = bodyDescription === undefined ? "" : `<p>Body: ${prose(bodyDescription)}</p>`;
  return schema === undefined ? said : `${said}${members("Body", jsonSchemaOf(schema))}`;
}

function members(title: string, schema: JsonForm): string {
  const { properties = {}, required = [] } = schema as {
    properties?: Readonly<Record<string, JsonForm>>;
    required?: readonly string[];
  };
  const rows = Object.entries(properties).map(([name, form]) => {
    const isRequired = required.includes(name) ? "required. " : "";
    return `<tr><td><code>${escaped(name)}</code><td>${isRequired}${prose(String(form["description"] ?? ""))}<td><code>${escaped(typeText(form))}</code>`;
  });
  return rows.length === 0 ? "" : `<table><tr><th>${title}<th><th>${rows.join("")}</table>\n`;
}

function typeText(form: JsonForm): string {
  const { description: _, ...rest } = form;
  const text = JSON.stringify(rest);
  return text.length <= 200 ? text : String(rest["type"] ?? "object");
}

function row(status: string, description: string): string {
  return `<tr><td>${escaped(status)}<td>${prose(description)}`;
}

/** Text in which back-ticks mark code. */
function prose(text: string): string {
  return escaped(text).replace(/`([^`]*)`/g, "<code>$1</code>");
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function anchor(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}
