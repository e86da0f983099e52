import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { defaultLimits } from "../../../config/limits.ts";
import { problemCodes } from "./problem.ts";
import { routesOf } from "./routes.ts";

const page = readFileSync(new URL("../../../../../../docs/http.md", import.meta.url), "utf8");

describe("docs/http.md", () => {
  it("names every route with its right, and no other", () => {
    const rows = [...page.matchAll(/^\| (`(?:GET|POST|PUT|DELETE) .*?) \| (.*?) \|/gm)];
    const documented = rows.flatMap(([, names = "", right = ""]) => {
      const targets = [...names.matchAll(/`([A-Z]+) ([^?`]+)[^`]*`/g)];
      // `?verbose` has a right of its own, which its row names.
      if (names.includes("?verbose")) return [];
      return targets.map(([, method, path]) => `${method} ${path} ${right.replaceAll("`", "")}`);
    });
    const rights = { public: "none", authenticated: "any key" } as Record<string, string>;
    const served = routesOf(defaultLimits).map(({ method, path, permission, right }) => {
      return `${method} ${path.replace(/:(\w+)/g, "{$1}")} ${right?.replaceAll("`", "") ?? rights[permission] ?? permission}`;
    });
    expect(documented.sort()).toEqual(served.sort());
  });

  it("names every problem with its status, and no other", () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => `${code} ${status}`);
    expect(rows.sort()).toEqual(problemCodes.map(([code, status]) => `${code} ${status}`).sort());
  });
});
