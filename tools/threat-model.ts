/** `docs/threat-model.md`, from the attacks themselves and from what was recorded of other brokers. */
import { readdirSync, readFileSync } from "node:fs";
import { attacks } from "../attacks/attacks.ts";
import type { Attack } from "../attacks/support/attack.ts";
import type { Recorded } from "../attacks/support/recorded.ts";

const folder = new URL("../attacks/", import.meta.url);

const sections: readonly (readonly [letter: string, title: string, about: string])[] = [
  ["A", "The parts", "What could be done to each part of a broker."],
  ["B", "Considerations for the parts", "What each part must do, and a further attack on it."],
  ["C", "The design", "What follows from simple storage, an open network and missing authentication."],
  ["D", "The measures", "What mess ships against all this, attacked in turn."],
  ["E", "What else", "What threat analyses of brokers tend to leave out."],
];

const introduction = `# Threat model

<!-- Made by tools/threat-model.ts from attacks/. Change those, not this page. -->

Each threat is a file in \`attacks/\` that carries it out against a server, over each door where the door can matter. All of
them must fail: they run in \`npm test\`, in sizes a build can afford.

\`\`\`sh
npm run attacks                             # all, with what came of each
npm run attacks -- --only A1,B3
npm run attacks -- --full                   # in the sizes of a long night
npm run attacks -- --target mosquitto       # or nats: the same against another broker, found in PATH
\`\`\`

A row is **resisted** when no step of it reached its aim, the process is the same as before, and a client that has nothing to
do with it stayed connected, was served, and saw nothing that was not for it. Comments in the source cite the rows
(\`THREATS A1\`); [threats.md](threats.md) explains the lessons they cite.

`;

const comparison = `## Other brokers

The same attacks against what the machine's package manager installs, started without configuration (nats-server: JetStream
and an MQTT port). *by attack*: the attacker got what the row is about. *unguarded*: there is nothing that would have to be
overcome, because the broker by default has no such thing as the row is about (no TLS, no rights, no credentials). Such a
broker can be configured to have most of them: what is compared is what one gets without. These are releases of a
distribution, not the newest.

`;

export function renderThreatModel(): string {
  const files = readdirSync(folder);
  const parts = sections.map(([letter, title, about]) => {
    const rows = attacks.filter(({ id }) => id.startsWith(letter)).map((attack) => rowOf(attack, files));
    return `## ${letter}. ${title}\n\n${about}\n\n| # | Threat | What mess does | Attack |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return `${introduction}${parts.join("\n")}\n${comparison}${compared()}`;
}

function rowOf({ id, title, threat, mitigation, steps }: Attack, files: readonly string[]): string {
  const file = fileOf(id, files);
  const tried = steps.map(({ name }) => name).join("; ");
  return `| ${id} | **${title}.** ${threat} | ${mitigation} | [${tried}](../attacks/${file}) |`;
}

function fileOf(id: string, files: readonly string[]): string {
  const prefix = `${id[0]?.toLowerCase()}${id.slice(1).padStart(2, "0")}-`;
  const file = files.find((name) => name.startsWith(prefix));
  if (file === undefined) throw new Error(`no file of ${id} in attacks/`);
  return file;
}

function compared(): string {
  const all = ["mosquitto", "nats"].map((name) => {
    return JSON.parse(readFileSync(new URL(`recorded/${name}.json`, folder), "utf8")) as Recorded;
  });
  const head = all.map(({ program }) => program).join(" | ");
  const rows = attacks.map(
    ({ id, title }) => `| ${id} | ${title} | ${all.map((each) => shown(each, id)).join(" | ")} |`,
  );
  const totals = all.map(({ verdicts }) => {
    const list = Object.values(verdicts);
    const count = (wanted: string): number => list.filter((verdict) => verdict === wanted).length;
    const succeeded = count("succeeded") + count("unguarded");
    return `**${succeeded} of ${list.length}** succeed (${count("succeeded")} by attack, ${count("unguarded")} unguarded)`;
  });
  const table = `| # | Threat | ${head} |\n| --- | --- | ${all.map(() => "---").join(" | ")} |\n${rows.join("\n")}`;
  return `${table}\n| | | ${totals.join(" | ")} |\n`;
}

function shown({ verdicts }: Recorded, id: string): string {
  const verdict = verdicts[id];
  if (verdict === undefined) return "not recorded";
  return verdict === "succeeded" ? "succeeds by attack" : verdict === "unguarded" ? "succeeds, unguarded" : verdict;
}
