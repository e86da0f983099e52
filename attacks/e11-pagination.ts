import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";

const numbers = [
  "-1",
  "0",
  "1.5",
  "1e3",
  "NaN",
  "Infinity",
  "0x10",
  " 1",
  "1 ",
  "+1",
  "01",
  "",
  "2147483648",
  "4294967296",
  "9007199254740992",
  "9223372036854775807",
  "18446744073709551615",
  "1e309",
  "９",
];
const cursors = [
  "x",
  "W10",
  "bnVsbA",
  "WzFd",
  "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
  "A".repeat(5_000),
  "%00",
  "../..",
  "WyJfX3Byb3RvX18iXQ",
];
const offsets = [
  "-1",
  "1e99",
  "9007199254740993",
  "18446744073709551616",
  "NaN",
  "9999-99-99T99:99:99Z",
  "0000-00-00T00:00:00Z",
];

export const e11 = attack({
  id: "E11",
  title: "Integers and pages of the API",
  threat: "A number at the edge, or a cursor somebody made, crashes the process, skips a check, or walks for ever.",
  mitigation:
    "Numbers are read by one strict schema with bounds; cursors are sealed to their list; pages are bounded in items and work.",
  ways: ["https"],
  steps: [
    {
      name: "numbers and cursors at the edge, in every list",
      run: edges,
      elsewhere: hasNone("has no HTTP API by default"),
    },
  ],
});

async function edges(arena: Arena): Promise<void> {
  const who = await arena.principal("everything");
  const lists = ["/v1/subscriptions", "/v1/topics", "/v1/delayed", "/v1/messages?filter=%23"];
  const query = (path: string, name: string, value: string): string =>
    `${path}${path.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
  for (const path of lists) {
    for (const value of numbers) await sane(arena, who, query(path, "limit", value));
    for (const value of cursors) await sane(arena, who, query(path, "cursor", value));
  }
  for (const value of offsets) {
    await sane(arena, who, query("/v1/messages?filter=%23", "from", value));
    const { status } = await arena.ask(who, `/v1/delayed/${encodeURIComponent(value)}`, { method: "DELETE" });
    hold(status >= 400 && status < 500, `DELETE /v1/delayed/${value} is answered ${status}`);
  }
  for (const value of [-1, 1.5, 1e300, 2 ** 53, "1", null, [], {}]) {
    const question = { method: "POST", body: { max: value, waitMs: value, maxBytes: value } };
    const { status } = await arena.ask(who, "/v1/subscriptions/none/pull", question);
    hold(status >= 400 && status < 500, `a pull of ${JSON.stringify(value)} is answered ${status}`);
  }
}

/** A refusal, or a page that is a page. */
async function sane(arena: Arena, who: Awaited<ReturnType<Arena["principal"]>>, path: string): Promise<void> {
  const began = performance.now();
  const { status, text } = await arena.ask(who, path);
  hold(status === 200 || (status >= 400 && status < 500), `${path} is answered ${status} ${text.slice(0, 100)}`);
  hold(performance.now() - began < 4_000, `${path} takes long`);
}
