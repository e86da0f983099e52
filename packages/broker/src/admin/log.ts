import { styleText } from "node:util";
import { type DestinationStream, pino } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one line an event. `event` is a stable dotted name (`listener.open`); the rest is for machines or people. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

type LogValue = string | number | boolean | undefined;
/** Where something is, say, is one field with parts: `detail`. */
type LogFields = Readonly<Record<string, LogValue | Readonly<Record<string, string | number>>>>;

export interface LogOptions {
  readonly level: LogLevel;
  /** Where lines go; the process's stderr, since stdout carries the ready line (DESIGN section 8). */
  readonly stream: { write(line: string): unknown };
  /** For people at a terminal, with or without colour; otherwise NDJSON. */
  readonly form: "json" | "plain" | "coloured";
}

/** Field names that are never written, should a secret get into a call by mistake. */
const SECRET_FIELDS = ["secret", "password", "authorization", "token", "key", "credential"];

/** Opens the log. Whoever owns the stream handles its errors (a closed pipe). */
export function openLog(options: LogOptions): Log {
  const { stream } = options;
  const destination: DestinationStream = {
    write: (line) => void stream.write(options.form === "json" ? line : prettyLine(line, options.form)),
  };
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: "[redacted]" },
    },
    destination,
  );
  return {
    debug: (event, fields) => logger.debug({ event, ...fields }),
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  };
}

const COLOURS = { debug: "gray", info: "green", warn: "yellow", error: "red" } as const;

/** `12:00:00 info  listener.open port=8883 host="::1"`, from a line of NDJSON. */
function prettyLine(line: string, form: "plain" | "coloured"): string {
  const { level, time, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const label = String(level) as keyof typeof COLOURS;
  const clock = String(time).slice(11, 19);
  // Values keep their JSON form: a control character in one must not reach the terminal.
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${escapeControls(JSON.stringify(value))}`);
  const head = form === "plain" ? label.padEnd(5) : styleText(COLOURS[label] ?? "gray", label.padEnd(5));
  return `${clock} ${head} ${escapeControls(String(event))}${rest.join("")}\n`;
}

/** JSON leaves DEL and the C1 controls as they are, and terminals obey some of them. */
function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
