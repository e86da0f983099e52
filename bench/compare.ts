/** The same load on mess and on the brokers that are installed beside it, in turns. */
import { parseArgs } from "node:util";
import { type Broker, brokers, type Certificate, makeCertificate } from "./brokers.ts";
import { externalLoad } from "./external-load.ts";
import type { Figures } from "./figures.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { ownLoad } from "./own-load.ts";
import { type Round, reportScenario } from "./report.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { withScratch } from "./scratch.ts";

const usage = `Usage: tsx bench/compare.ts [options]

  --brokers A,B    of ${brokers.map((broker) => broker.name).join(", ")} (default: those that are installed); ratios are of the first to the others
  --scenarios A,B  (default: all)
  --rounds N       each scenario on each broker (default 3)
  --seconds N      measured time of a flood, after 1 s of warm-up (default 4)
  --mqload PATH    use this load generator instead of the one in this directory
  --list           name brokers and scenarios`;

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly mqload: string | undefined;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      brokers: { type: "string" },
      scenarios: { type: "string" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "4" },
      mqload: { type: "string" },
      list: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  if (values.list === true) return list();
  const installed = brokers.filter((broker) => broker.version() !== undefined);
  const chosenBrokers = chosen(values.brokers, values.brokers === undefined ? installed : brokers);
  const chosenScenarios = chosen(values.scenarios, scenarios);
  console.log(describeMachine());
  for (const broker of chosenBrokers)
    console.log(
      `${broker.name.padEnd(10)} ${broker.version() ?? "not installed"}; an acknowledgement means ${broker.promise}`,
    );
  console.log(`load       ${values.mqload ?? "own"}\n`);
  const settings = { rounds: Number(values.rounds), seconds: Number(values.seconds), mqload: values.mqload };
  await withScratch((directory) => runAll(chosenBrokers, chosenScenarios, { ...settings, directory }));
}

function list(): void {
  for (const broker of brokers) console.log(`${broker.name.padEnd(16)} ${broker.version() ?? "not installed"}`);
  for (const scenario of scenarios) console.log(`${scenario.name.padEnd(16)} ${scenario.about}`);
}

/** The named ones, in the order of the names. */
function chosen<Item extends { readonly name: string }>(
  names: string | undefined,
  items: readonly Item[],
): readonly Item[] {
  if (names === undefined) return items;
  return names.split(",").map((name) => {
    const item = items.find((candidate) => candidate.name === name);
    if (item === undefined)
      throw new Error(`there is no ${name}; there are ${items.map((candidate) => candidate.name).join(", ")}`);
    return item;
  });
}

async function runAll(
  using: readonly Broker[],
  running: readonly Scenario[],
  settings: Settings & { readonly directory: string },
): Promise<void> {
  const certificate = running.some((scenario) => scenario.tls) ? makeCertificate(settings.directory) : undefined;
  for (const scenario of running) {
    const rounds: Round[] = [];
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const broker of using) rounds.push(await runOnce(broker, scenario, { ...settings, certificate }));
    }
    console.log(`${reportScenario(scenario, rounds)}\n  load average ${loadAverage()}\n`);
  }
}

/** A fresh process on an empty directory, one scenario, and the end of the process. */
async function runOnce(
  broker: Broker,
  scenario: Scenario,
  settings: Settings & { readonly certificate: Certificate | undefined },
): Promise<Round> {
  const name = { broker: broker.name, scenario: scenario.name };
  try {
    const figures = await withScratch((directory) => measure(broker, scenario, { ...settings, directory }));
    return { ...name, figures };
  } catch (error) {
    return { ...name, figures: {}, failure: error instanceof Error ? error.message : String(error) };
  }
}

async function measure(
  broker: Broker,
  scenario: Scenario,
  settings: Settings & { readonly certificate: Certificate | undefined; readonly directory: string },
): Promise<Figures> {
  const { directory, seconds, mqload } = settings;
  const tls = scenario.tls ? settings.certificate : undefined;
  const running = await broker.start({ directory, durable: scenario.durable, tls });
  try {
    if (mqload !== undefined) return await externalLoad(running, scenario, { path: mqload, directory, seconds });
    return await ownLoad(running, scenario, seconds);
  } finally {
    await running.process.kill();
  }
}

await main();
