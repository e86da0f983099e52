/** `docs/config.md`, made from the tables that the broker itself reads. */

import { jwtSettings } from "./jwt-config.ts";
import { limitNames, limitTable } from "./limit-table.ts";
import { formatLimit } from "./limit-value.ts";
import { defaultLimits } from "./limits.ts";
import { flagOf, serveOptions, variableOf } from "./serve-options.ts";

/** One setting as the documentation shows it. */
export interface SettingDescription {
  readonly name: string;
  readonly unit: string;
  readonly default: string;
  readonly min: string;
  readonly max: string;
  readonly meaning: string;
}

/** Every limit, in the order of the page. */
export function describeLimits(): SettingDescription[] {
  return limitNames.map((name) => {
    const row = limitTable[name];
    return {
      name,
      unit: row.unit,
      default: formatLimit(defaultLimits[name], row.unit),
      min: formatLimit(row.min, row.unit),
      max: formatLimit(row.max, row.unit),
      meaning: row.meaning,
    };
  });
}

/** The page, as Markdown. */
export function renderConfigPage(): string {
  const options = serveOptions.map((option) => [
    `\`${option.name}\``,
    `\`${flagOf(option)}\``,
    `\`${variableOf(option.optionKey)}\``,
    option.default,
    option.meaning,
  ]);
  const limits = describeLimits().map((limit) => [
    `\`${limit.name}\``,
    limit.unit,
    limit.default,
    limit.min,
    limit.max,
    limit.meaning,
  ]);
  const jwt = jwtSettings.map((setting) => [`\`${setting.name}\``, setting.default, setting.meaning]);
  return [
    INTRODUCTION,
    table(["In the file", "Command line", "Environment", "Default", "Meaning"], options),
    JWT,
    table(["In a table `[[jwt]]`", "Default", "Meaning"], jwt),
    LIMITS,
    table(["Name", "Unit", "Default", "Least", "Most", "Meaning"], limits),
  ].join("\n");
}

const INTRODUCTION = `# Configuration

<!-- Made by tools/generate-docs.ts from packages/broker/src/config. Change those, not this page. -->

\`mess serve\` needs no configuration. What it is told, it takes from the command line, then the environment, then the
TOML file named by \`--config\` (or \`MESS_CONFIG\`), then the defaults below. On a key it does not know, a value out of
range, or two settings that contradict one another, it does not start (exit code 78): it says which setting of which
source is wrong, and which name was probably meant. Keys of the file are spelled as in the first column.

No setting holds a secret: keys are named by file, file descriptor or command. An empty environment variable is an
error and not the same as none. Variables of the client commands (\`MESS_URL\`, \`MESS_KEY\`, …) and those that
Kubernetes sets for a service named \`mess\` (\`MESS_PORT…\`, \`MESS_SERVICE_…\`) are left alone.

\`\`\`toml
listen = "192.0.2.10"
hostNames = ["mess.example"]
policyFile = "/etc/mess/policy.toml"

[limits]
packetBytesMax = "4MiB"
outboundBytesMax = "4MiB"
sessionExpirySecondsMax = "7d"
\`\`\`

## Settings
`;

const JWT = `
## JWTs

In the file alone: one table \`[[jwt]]\` for each issuer whose tokens are taken, 16 at most
([authentication.md](authentication.md)).
`;

const LIMITS = `
## Limits

In the file under \`[limits]\`; in the environment as \`MESS_LIMITS__PACKET_BYTES_MAX\`. A count is a number. Sizes are
numbers of bytes or text with a unit: B, KiB, MiB, GiB, TiB, or kB, MB, GB, TB by thousands. Times are numbers in the
unit shown, or text with ms, s, m, h or d. Limits are also held against one another, so raising one may ask for raising
another; the message names both.
`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}
