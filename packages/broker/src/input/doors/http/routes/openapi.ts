/** The API's description of itself. It is the same on every server of a version, but for the bounds: no key is needed. */
import { apiPage } from "../api-page.ts";
import { nothing } from "../fields.ts";
import { openApiDocument } from "../open-api.ts";
import { type Answer, type Route, route } from "../route.ts";

const HTML = "text/html; charset=utf-8";

/** `routes`: all others. */
export function openApiRoutes(routes: readonly Route[]): readonly Route[] {
  let document: string | undefined;
  let page: Answer | undefined;
  const common = { method: "GET", group: "Description", permission: "public", query: nothing } as const;
  const own: readonly Route[] = [
    route({
      ...common,
      path: "/openapi.json",
      summary: "This API as an OpenAPI 3.1 document.",
      answers: { 200: { description: "The document.", mediaType: "application/json" } },
      handle: () => {
        document ??= `${JSON.stringify(openApiDocument([...routes, ...own]), undefined, 1)}\n`;
        return { status: 200, body: document, mediaType: "application/json" };
      },
    }),
    route({
      ...common,
      path: "/docs",
      summary: "The same as a page for people.",
      answers: { 200: { description: "The page.", mediaType: HTML } },
      handle: () => {
        page ??= pageAnswer([...routes, ...own]);
        return page;
      },
    }),
  ];
  return own;
}

function pageAnswer(routes: readonly Route[]): Answer {
  const { html, contentSecurityPolicy } = apiPage(routes);
  return { status: 200, body: html, mediaType: HTML, headers: { "content-security-policy": contentSecurityPolicy } };
}
