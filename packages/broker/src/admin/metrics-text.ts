import type { MetricSample } from "../model/administration.ts";

export const METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Samples in the text form of Prometheus (exposition format 0.0.4). Samples of one name stand together under one HELP
 * and TYPE, wherever they came in the list, as the format demands.
 */
export function metricsText(samples: readonly MetricSample[]): string {
  const families = new Map<string, MetricSample[]>();
  for (const sample of samples) {
    const family = families.get(sample.name);
    if (family === undefined) families.set(sample.name, [sample]);
    else family.push(sample);
  }
  let text = "";
  for (const [name, family] of families) {
    const { help, type } = family[0] as MetricSample;
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const { labels, value } of family) text += `${name}${labelText(labels)} ${numberText(value)}\n`;
  }
  return text;
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
