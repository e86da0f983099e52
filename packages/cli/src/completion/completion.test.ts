import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createProgram } from "../program.ts";
import { runMess, testIo, withDirectory } from "../test-io.test-data.ts";
import { bashCompletion } from "./bash.ts";
import { allNodes, commandTree } from "./command-tree.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const tree = commandTree(createProgram(testIo({ cwd: "/" }).io, "0.0.0"));

/** What bash would offer for these words, the last one being typed. */
async function offered(words: readonly string[]): Promise<string[]> {
  return withDirectory(async (directory) => {
    const script = join(directory, "mess.bash");
    await writeFile(script, bashCompletion(tree));
    const program = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mess; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync("bash", ["--norc", "-c", program, "bash", script, "mess", ...words], {
      encoding: "utf8",
      cwd: directory,
    });
    return output.split("\n").filter((line) => line !== "");
  });
}

describe("completion", () => {
  it("offers commands, verbs and options in bash", async () => {
    expect(await offered([""])).toEqual(tree.children.map(({ name }) => name));
    expect(await offered(["p"])).toEqual(["pub", "password", "policy", "pair", "proof"]);
    expect(await offered(["key", ""])).toEqual(["create", "rotate", "list", "revoke", "reset"]);
    expect(await offered(["key", "create", "dev7", "--ro"])).toEqual(["--role"]);
    expect(await offered(["--url", "mqtts://h", "sub", "--no"])).toEqual(["--no-ack", "--no-retained"]);
    expect(await offered(["pub", "t", "--key-file", ""])).toEqual(["mess.bash"]);
    expect(await offered(["sub", "x"])).toEqual([]);
  });

  it.each([
    ["zsh", zshCompletion],
    ["fish", fishCompletion],
  ] as const)("is a script %s accepts, where it is installed", async (shell, generate) => {
    const text = generate(tree);
    for (const { name } of tree.children) expect(text).toContain(name);
    for (const { options } of allNodes(tree)) for (const { long } of options) expect(text).toContain(long.slice(2));
    // Every quote is closed.
    expect((text.replaceAll("'\\''", "").replaceAll("\\'", "").match(/'/gu) ?? []).length % 2).toBe(0);
    const binary = [`/usr/bin/${shell}`, `/bin/${shell}`].find(existsSync);
    if (binary === undefined) return;
    await withDirectory(async (directory) => {
      await writeFile(join(directory, "script"), text);
      execFileSync(binary, ["-n", join(directory, "script")]);
    });
  });

  it("is printed by the command, for shells it knows", async () => {
    expect(await runMess(["completion", "bash"], { cwd: "/" })).toMatchObject({
      code: 0,
      err: "",
      out: bashCompletion(tree),
    });
    expect(await runMess(["completion", "tcsh"], { cwd: "/" })).toMatchObject({ code: 64, out: "" });
  });
});
