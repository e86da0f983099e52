// docs/sdk.md and the programs it is made of: each block of the page stands in a program, and each program does what it says.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { useServer } from "../support/suite.ts";
import { environment, killExamplesAfterwards, typescript } from "./example.ts";

const shared = useServer({ args: ["--policy-file", "examples/sdk-guide/policy.toml"] });
killExamplesAfterwards();

const folder = new URL("../../examples/sdk-guide/", import.meta.url);
const programs = readdirSync(folder).filter((name) => name.endsWith(".ts"));
const text = (name: string): string => readFileSync(new URL(name, folder), "utf8");

async function run(name: string): Promise<string[]> {
  const { server } = shared;
  const output = await typescript(`sdk-guide/${name}`, { env: environment(server, { id: "", secret: "" }) }).succeeds();
  return output.split("\n").filter((line) => line !== "");
}

describe("the guide", () => {
  const page = readFileSync(new URL("../../docs/sdk.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gmsu)].map(([, block = ""]) => block);

  it("has blocks", () => {
    expect(blocks.length).toBeGreaterThan(8);
  });

  it.each(blocks.map((block) => [block.split("\n")[0], block]))("block %#: %s", (_first, block) => {
    expect(programs.some((name) => text(name).includes(block))).toBe(true);
  });
});

describe("the programs", () => {
  it("topics", async () => {
    const output = await run("topics.ts");
    expect(output.filter((line) => !/^(closed|connected)/u.test(line))).toEqual([
      "persisted false true",
      "7 21.5 true",
      "INVALID_PAYLOAD",
      "true true",
      "plain text true",
    ]);
  });

  it("queue", async () => {
    const output = await run("queue.ts");
    expect(output.toSorted()).toEqual(["bill 1", "bill 2", "billed 2", "order 4 attempt 2"]);
  });

  it("stream", async () => {
    const output = await run("stream.ts");
    expect(output).toEqual([1, 2, 3].map((id) => `orders/${id}/shipped parcel ${id}`).concat("then parcel 4"));
  });

  it("request", async () => {
    expect(await run("request.ts")).toEqual(["350", "REMOTE_FAILURE unknown-sku", "NO_RESPONDER "]);
  });

  it("tracing", async () => {
    expect(await run("tracing.ts")).toEqual(["0af7651916cd43dd8448eb211c80319c true"]);
  });

  it("testing", async () => {
    expect(await run("testing.ts")).toEqual(["tested"]);
  });
});
