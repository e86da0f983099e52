import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { readJwtTables } from "./jwt-config.ts";
import { formatConfigProblem, loadConfig } from "./load.ts";

const good = 'name = "idp"\nissuer = "https://idp.example/"\naudience = "mess"\njwksFile = "/k"\n';

function read(table: string): ReturnType<typeof readJwtTables> {
  return readJwtTables(parse(`[[jwt]]\n${table}`)["jwt"]);
}

function problems(table: string): string {
  const result = read(table);
  return "problems" in result ? result.problems.join("\n") : "none";
}

/** The good table with lines of its own in place of those that begin like them. */
function changed(...lines: string[]): string {
  const keys = lines.map((line) => line.split(" ", 1)[0] ?? "");
  const kept = good.split("\n").filter((line) => !keys.some((key) => line.startsWith(`${key} `)));
  return [...kept, ...lines].join("\n");
}

describe("[[jwt]]", () => {
  it("has standards for all that is not needed", () => {
    expect(read(good)).toEqual({
      jwt: [
        {
          name: "idp",
          issuer: "https://idp.example/",
          audience: ["mess"],
          jwksFile: "/k",
          algorithms: ["EdDSA", "ES256", "RS256"],
          principalClaim: "sub",
          principalPrefix: "",
          clockToleranceMs: 30_000,
          maxLifetimeMs: 86_400_000,
        },
      ],
    });
  });

  it("takes what it says", () => {
    const table = `name = "a-1"
issuer = "x"
audience = ["a", "b"]
jwksUrl = "https://idp.example:8443/keys?x=1"
jwksCa = "/ca.pem"
algorithms = ["ES256"]
principalClaim = "client_id"
principalPrefix = "idp:"
clockTolerance = "0s"
maxLifetime = "1h"`;
    expect(read(table)).toMatchObject({
      jwt: [
        {
          audience: ["a", "b"],
          jwksUrl: "https://idp.example:8443/keys?x=1",
          jwksCa: "/ca.pem",
          algorithms: ["ES256"],
          principalClaim: "client_id",
          principalPrefix: "idp:",
          clockToleranceMs: 0,
          maxLifetimeMs: 3_600_000,
        },
      ],
    });
  });

  it.each([
    [['name = "A"'], "[0].name holds a-z"],
    [['name = ""'], "[0].name is text"],
    [["name = 7"], "[0].name is text"],
    [['issuer = "a\\u0000b"'], "[0].issuer is text"],
    [["audience = []"], "[0].audience is a text, or an array"],
    [['audience = ["a", 7]'], "[0].audience is a text, or an array"],
    [["audience = 7"], "[0].audience is text"],
    [['jwksUrl = "https://x/"'], "and not both"],
    [['jwksCa = "/ca"'], "[0].jwksCa is for jwksUrl alone"],
    [['algorithms = ["HS256"]'], "[0].algorithms is an array of EdDSA, ES256, RS256"],
    [['algorithms = ["none"]'], "[0].algorithms"],
    [["algorithms = []"], "[0].algorithms"],
    [['algorithms = "EdDSA"'], "[0].algorithms"],
    [['principalPrefix = "a/"'], "[0].principalPrefix"],
    [['principalPrefix = "a~"'], "[0].principalPrefix"],
    [['principalPrefix = "$"'], "[0].principalPrefix"],
    [["clockTolerance = 30"], "[0].clockTolerance is a time with its unit"],
    [['clockTolerance = "6m"'], "from 0 s to 300 s"],
    [['maxLifetime = "8d"'], "[0].maxLifetime"],
    [['maxLifetime = "-1s"'], "[0].maxLifetime"],
    [['jwksurl = "https://x/"'], "[0].jwksurl is no key of [[jwt]]; did you mean jwksUrl?"],
    [["__proto__ = 1"], "no key"],
  ])("refuses %j", (lines, why) => {
    expect(problems(changed(...lines))).toContain(why);
  });

  it.each([
    "http://idp.example/",
    "HTTP://idp.example/",
    "https://user:pass@idp.example/",
    "https://idp.example/#x",
    "file:///etc/passwd",
    "idp.example",
    "https://",
  ])("takes no keys from %s", (url) => {
    const table = good.replace('jwksFile = "/k"', `jwksUrl = "${url}"`);
    expect(problems(table)).toContain("[0].jwksUrl is an address that begins with https://");
  });

  it("names what is missing", () => {
    expect(problems("")).toBe(
      [
        "[0].name is missing",
        "[0].issuer is missing",
        "[0].audience is missing",
        "[0].jwksFile or jwksUrl is needed, and not both: the public keys of the issuer",
      ].join("\n"),
    );
  });

  it("takes neither a name nor an issuer twice, and not too many", () => {
    const twice = readJwtTables(parse(`[[jwt]]\n${good}[[jwt]]\n${good}`)["jwt"]);
    expect(twice).toEqual({
      problems: ["[1].name is that of an earlier table", "[1].issuer is that of an earlier table"],
    });
    expect(readJwtTables(Array.from({ length: 17 }, () => ({})))).toEqual({ problems: ["has more than 16 tables"] });
    for (const value of [{}, "x", 7, null]) expect(readJwtTables(value)).toHaveProperty("problems");
    expect(readJwtTables([7])).toMatchObject({ problems: expect.arrayContaining(["[0] is a table"]) });
  });

  it("stands in the file, with the origin in what is wrong, and not beside insecureDev", () => {
    const load = (file: string, options: object = {}): string => {
      const loaded = loadConfig({ file, env: {}, options: { ...options } });
      if ("problems" in loaded) return loaded.problems.map(formatConfigProblem).join("\n");
      return loaded.config.jwt.map(({ name }) => name).join();
    };
    expect(load(`[[jwt]]\n${good}`)).toBe("idp");
    expect(load("")).toBe("");
    expect(load(`[[jwt]]\n${changed("name = 7")}`)).toMatch(/^jwt \(file\): \[0\]\.name is text/);
    expect(load("jwt = 7")).toMatch(/^jwt \(file\): is an array of tables/);
    expect(load(`[[jwt]]\n${good}`, { insecureDev: true })).toContain("would not be used");
    expect(load("[[jwts]]\n")).toContain("did you mean jwt?");
  });
});
