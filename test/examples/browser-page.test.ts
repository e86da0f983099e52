// examples/browser-page in a headless Chromium (Debian: chromium), over a server as it starts by itself.
import { beforeAll, describe, expect, it } from "vitest";
import { Browser, chromium } from "../support/chromium.ts";
import { createKey, type Key } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { environment, killExamplesAfterwards, typescript } from "./example.ts";

describe.skipIf(chromium === undefined)("browser-page (needs chromium)", () => {
  const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/browser-page/policy.toml"] });
  killExamplesAfterwards();

  let page: Key;
  beforeAll(async () => {
    page = await createKey(shared.server, "page");
  }, 30_000);

  it("shows each other's notes by both ways, earlier ones by events, over a restart of mess", async () => {
    const env = { ...environment(shared.server, page), PORT: "0" };
    const site = typescript("browser-page/serve.ts", { env, limit: 120_000 });
    const url = /http:\S+/.exec(await site.says("the board is at"))?.[0] ?? "";
    const [anna, bert] = [Browser.open(), Browser.open()];
    try {
      const items = (list: string): string =>
        `[...document.querySelectorAll("${list} li")].map((li) => li.textContent)`;
      const write = (browser: Browser, name: string, note: string): Promise<unknown> =>
        browser.evaluate(`{
          const form = document.querySelector("#write");
          form.elements.name.value = ${JSON.stringify(name)};
          form.elements.note.value = ${JSON.stringify(note)};
          form.requestSubmit();
        }`);
      const enabled = 'document.querySelector("#write button").disabled === false';
      await anna.goto(url);
      await anna.until(enabled);
      await write(anna, "anna", "<b>hello</b>");
      await anna.until('document.querySelector("#state").textContent.startsWith("on disk, at offset ")');
      for (const list of ["#live", "#events"]) await anna.until(`${items(list)}.includes("anna: <b>hello</b>")`);

      await bert.goto(url);
      await bert.until(enabled);
      await bert.until(`${items("#events")}.includes("anna: <b>hello</b>")`);
      expect(await bert.evaluate(items("#live"))).toEqual([]);

      await shared.server.stop();
      await shared.server.start();
      await anna.until('document.querySelector("#state").textContent === "connected"', 30_000);
      await write(anna, "anna", "still here");
      for (const list of ["#live", "#events"]) {
        await bert.until(`${items(list)}.includes("anna: still here")`, 30_000);
      }
      expect(await bert.evaluate(items("#events"))).toEqual(["anna: <b>hello</b>", "anna: still here"]);
    } finally {
      await Promise.all([anna.close(), bert.close()]);
    }
  }, 120_000);
});
