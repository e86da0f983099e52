/** What `deploy/` holds fits the broker: options and checks that exist, metrics that are counted, a unit that is tight. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { mess, messAt } from "../support/cli.ts";
import { Server } from "../support/server.ts";
import { run, tool } from "../support/tools.ts";

const pathOf = (name: string): string => new URL(`../../deploy/${name}`, import.meta.url).pathname;
const read = (name: string): string => readFileSync(pathOf(name), "utf8");

let server: Server;
beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
});
afterAll(() => server.remove());

it.each(["prometheus/mess.rules.yml", "grafana/mess.json"])("%s asks for metrics that there are", async (name) => {
  const { id, secret } = server.admin;
  const { status, text } = await ask(server, "/metrics", { key: `${id}.${secret}` });
  expect(status).toBe(200);
  const served = new Set([...text.matchAll(/^# TYPE (\S+)/gmu)].map(([, metric]) => metric));
  const asked = new Set([...read(name).matchAll(/\bmess_[a-z_]+/gu)].map(([metric]) => metric));
  expect(asked.size).toBeGreaterThan(8);
  expect([...asked].filter((metric) => !served.has(metric))).toEqual([]);
});

it("the dashboard is one that Grafana can load", () => {
  const { panels } = JSON.parse(read("grafana/mess.json")) as { panels: { id: number; targets: { expr: string }[] }[] };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { targets } of panels) for (const { expr } of targets) expect(expr).toContain("$instance");
});

it("unit, image and composition start the broker with options that it has", async () => {
  const { stdout: help } = await mess(["serve", "--help"]);
  const started = [read("systemd/mess.service"), read("container/Containerfile"), read("container/compose.yaml")];
  const lines = started.flatMap((text) =>
    text.split("\n").filter((line) => /mess serve|"serve"/u.test(line) && !line.startsWith("#")),
  );
  expect(lines).toHaveLength(3);
  for (const line of lines)
    for (const [option] of line.slice(line.indexOf("serve")).matchAll(/--[a-z-]+/gu))
      expect(help, line).toContain(option);
});

it("the key they are given is made by a command, and opens what a first start made with it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mess-deploy-"));
  try {
    const file = join(directory, "kek");
    expect((await mess(["kek", "new", "--out", file])).code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o400);
    const dataDir = join(directory, "data");
    const first = await Server.start({ mode: "secure", dataDir, args: ["--kek-command", `cat ${file}`] });
    await first.stop();
    const again = await Server.start({ mode: "secure", dataDir, args: ["--kek-file", file] });
    expect(await again.stop()).toMatchObject({ code: 0 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

it("the check of the image's health tells a server that is ready from one that is gone", async () => {
  const words = ["doctor", "--only", "server.ready", "--json"];
  expect(read("container/Containerfile")).toContain('"--only", "server.ready"');
  expect(JSON.parse((await messAt(server, words)).stdout)).toMatchObject({ id: "server.ready", status: "ok" });
  await server.kill();
  expect((await messAt(server, words)).code).not.toBe(0);
  await server.start();
});

it.skipIf(tool("systemd-analyze") === undefined)("the unit leaves little open", async () => {
  const { stdout } = await run("systemd-analyze", ["security", "--offline=true", pathOf("systemd/mess.service")]);
  const exposure = Number(
    /Overall exposure level for mess\.service: (?<level>[\d.]+)/u.exec(stdout)?.groups?.["level"],
  );
  expect(exposure).toBeLessThan(2);
});
