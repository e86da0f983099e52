// LESSONS 10, Mosquitto CVE-2018-20145 and a note of 2.0.12. Elsewhere the order of options, or where in the file they
// stood, decided whether a listener had rights at all. Here options have no order, and nothing but `insecureDev` on a
// loopback address opens a door without a credential.
import { expect, it } from "vitest";
import { randomOf } from "../../attacks/support/random.ts";
import { loadConfig } from "../../packages/broker/src/config/load.ts";
import { atEachDoor, useField } from "./support.ts";

// every option that has to do with doors, in an odd order, the same one in two places
const field = useField({
  args: ["--policy-file", "/dev/null", "--listen", "127.0.0.1", "--host-name", "localhost", "--log-level", "info"],
  env: { MESS_LISTEN: "0.0.0.0" },
});

atEachDoor(field, "the door wants a credential", async (arena, door) => {
  for (const version of [4, 5] as const) {
    const { connack } = await arena.attempt({}, { version }, door);
    expect(connack?.code).not.toBe(0);
  }
  expect((await arena.ask(undefined, "/v1/policy")).status).toBe(401);
});

const listens = [undefined, "127.0.0.1", "::1", "0.0.0.0", "::", "192.0.2.1"];
const orders: readonly (readonly [string, unknown])[] = [
  ["listen", "0.0.0.0"],
  ["mqttPort", "1883"],
  ["httpPort", "8080"],
  ["policyFile", "p.toml"],
  ["insecureDev", true],
  ["logLevel", "warn"],
];

it("500 mixes of options, environment and file: the same settings whatever the order, open on loopback alone", () => {
  const random = randomOf(10);
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const seen = { open: 0, closed: 0, refused: 0 };
  for (let run = 0; run < 500; run += 1) {
    const chosen: (readonly [string, unknown])[] = orders
      .filter(() => random() < 0.5)
      .map(([name, value]) => [name, name === "listen" ? (one(listens) ?? "127.0.0.1") : value]);
    const env: Record<string, string> = random() < 0.3 ? { MESS_INSECURE_DEV: String(random() < 0.5) } : {};
    const file = random() < 0.3 ? `insecureDev = ${random() < 0.5}\n` : undefined;
    const load = (options: typeof chosen): ReturnType<typeof loadConfig> =>
      loadConfig({ options: Object.fromEntries(options), env, ...(file !== undefined && { file }) });
    const forth = load(chosen);
    const back = load(chosen.toReversed());
    expect(settingsOf(back)).toEqual(settingsOf(forth));
    if (!("config" in forth)) seen.refused += 1;
    else if (forth.config.insecureDev) {
      seen.open += 1;
      expect(["127.0.0.1", "::1"]).toContain(forth.config.listen);
      const asked = [Object.fromEntries(chosen)["insecureDev"], env["MESS_INSECURE_DEV"], file];
      expect(asked.some((source) => source !== undefined)).toBe(true);
    } else seen.closed += 1;
  }
  expect(Math.min(seen.open, seen.closed, seen.refused)).toBeGreaterThan(10);
});

const settingsOf = (loaded: ReturnType<typeof loadConfig>): unknown =>
  "config" in loaded ? loaded.config : loaded.problems.map(({ path, message }) => `${path} ${message}`).sort();
