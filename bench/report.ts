import { type FigureName, type Figures, figureTable } from "./figures.ts";
import { marksOf, type Scenario } from "./scenarios.ts";
import { median, table } from "./text.ts";

export interface Round {
  readonly broker: string;
  readonly scenario: string;
  /** What went wrong, instead of figures. */
  readonly failure?: string;
  readonly figures: Figures;
}

/** Medians of a scenario, a line a broker, and the ratios of the first broker to the others. */
export function reportScenario(scenario: Scenario, rounds: readonly Round[]): string {
  const mine = rounds.filter((round) => round.scenario === scenario.name);
  const names = [...new Set(mine.map((round) => round.broker))];
  const columns = figureTable.filter(({ name }) => mine.some((round) => round.figures[name] !== undefined));
  const lines = [["", ...columns.map(({ title }) => title), "rounds"]];
  for (const broker of names) {
    const ofBroker = mine.filter((round) => round.broker === broker);
    const good = ofBroker.filter((round) => round.failure === undefined);
    const cells = columns.map(({ name, digits, per }) => format(medianOf(good, name) / per, digits));
    lines.push([
      broker,
      ...cells,
      good.length === ofBroker.length ? `${good.length}` : `${good.length} of ${ofBroker.length}`,
    ]);
  }
  const failures = mine.flatMap(({ broker, failure }) =>
    failure === undefined ? [] : [`${broker} failed: ${failure}`],
  );
  return [
    `${scenario.name}: ${scenario.about}`,
    table(lines),
    ...ratios(scenario, mine, names),
    ...new Set(failures),
  ].join("\n");
}

function ratios(scenario: Scenario, rounds: readonly Round[], [first, ...others]: readonly string[]): string[] {
  const of = (broker: string | undefined, name: FigureName): number =>
    medianOf(
      rounds.filter((round) => round.broker === broker && round.failure === undefined),
      name,
    );
  return marksOf(scenario).flatMap(({ name, isMoreBetter }) => {
    const title = figureTable.find((figure) => figure.name === name)?.title ?? name;
    const parts = others.map((other) => `${(of(first, name) / of(other, name)).toFixed(2)} x ${other}`);
    if (parts.length === 0) return [];
    return [`  ratio of ${title} (${isMoreBetter ? "more" : "less"} is better): ${first} = ${parts.join(", ")}`];
  });
}

function medianOf(rounds: readonly Round[], name: FigureName): number {
  return median(rounds.flatMap((round) => round.figures[name] ?? []));
}

function format(value: number, digits: number): string {
  if (Number.isNaN(value)) return "-";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
