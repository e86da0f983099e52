import { describe, expect, it } from "vitest";
import { coloursWanted, painter } from "./colour.ts";
import { barText, ProgressBar } from "./progress-bar.ts";
import { ProgressCount } from "./progress-count.ts";
import { formatFields, formatTable, printable } from "./table.ts";

describe("table", () => {
  it("aligns columns and leaves no space at line ends", () => {
    const text = formatTable(
      [{ title: "NAME" }, { title: "N", align: "right" }, { title: "X" }],
      [
        ["a", "1", ""],
        ["longer", "123", "y"],
      ],
    );
    expect(text).toBe("NAME      N  X\na         1\nlonger  123  y\n");
  });

  it("shows control characters instead of obeying them", () => {
    expect(printable("a\u001b[2Jb\u0000\u009bc\u202e")).toBe("a\\x1b[2Jb\\x00\\x9bc\\u202e");
    expect(printable("tab\tand\nline, ünï, 日本")).toBe("tab\tand\nline, ünï, 日本");
    expect(formatTable([{ title: "T" }], [["\u001b[31m"]])).toBe("T\n\\x1b[31m\n");
  });

  it("lets nothing in a cell or field pass for a line of its own", () => {
    expect(formatTable([{ title: "T" }, { title: "U" }], [["a\nb", "c\td"]])).toBe("T     U\na\\nb  c\\td\n");
    expect(formatFields([["name", "a\nowner  root"]])).toBe("name  a\\nowner  root\n");
  });

  it("puts names and values below one another", () => {
    expect(
      formatFields([
        ["a", "1"],
        ["longer", "2"],
        ["none", ""],
      ]),
    ).toBe("a       1\nlonger  2\nnone\n");
  });
});

describe("colours", () => {
  const cases: readonly (readonly [NodeJS.ProcessEnv, boolean, boolean])[] = [
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ TERM: "dumb" }, true, false],
    [{ CI: "true" }, true, false],
  ];
  it.each(cases)("%j on a terminal %s: %s", (env, isTTY, wanted) => {
    expect(coloursWanted({ env, isTTY })).toBe(wanted);
    expect(painter({ env, isTTY })("red", "x")).toBe(wanted ? "\u001b[31mx\u001b[39m" : "x");
  });
});

describe("progress bar", () => {
  it("fits its line", () => {
    expect(barText("verify", 1, 2, 30)).toBe("verify ████████░░░░░░░  50 %");
    expect(barText("verify", 0, 0, 80)).toContain("100 %");
    for (const columns of [0, 10, 20, 80, 200])
      expect(barText("v", 3, 7, columns).length).toBeLessThanOrEqual(Math.max(columns, 8));
  });

  it("draws on a terminal only, ten times a second, and clears itself", () => {
    const written: string[] = [];
    let now = 0;
    const bar = new ProgressBar({ isTTY: true, columns: 40, write: (text) => written.push(text) }, "x", () => now);
    for (let step = 0; step <= 100; step += 1) {
      now += 10;
      bar.update(step, 100);
    }
    expect(written.length).toBeGreaterThanOrEqual(10);
    expect(written.length).toBeLessThanOrEqual(12);
    bar.clear();
    expect(written.at(-1)).toBe("\r\u001b[K");
    const silent: string[] = [];
    const none = new ProgressBar({ write: (text) => silent.push(text) }, "x");
    none.update(1, 2);
    none.clear();
    expect(silent).toEqual([]);
  });
});

describe("progress count", () => {
  it("draws now and then on a terminal, how many and how fast, and leaves a clean line", () => {
    const drawn: string[] = [];
    let now = 0;
    const progress = new ProgressCount({ isTTY: true, write: (text) => drawn.push(text) }, "published", () => now);
    progress.update(10);
    now = 500;
    progress.update(2000);
    now = 550;
    progress.update(2100);
    progress.clear();
    progress.clear();
    expect(drawn).toEqual(["\rpublished 2,000, 4,000/s\u001b[K", "\r\u001b[K"]);
  });

  it("says nothing elsewhere", () => {
    const drawn: string[] = [];
    let now = 0;
    const progress = new ProgressCount({ write: (text) => drawn.push(text) }, "published", () => now);
    now = 1000;
    progress.update(1);
    progress.clear();
    expect(drawn).toEqual([]);
  });
});
