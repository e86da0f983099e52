import { type Command, Option } from "commander";
import { usageError } from "../cli-error.ts";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { parseDuration, parseSize, wholeNumber } from "../units.ts";
import {
  addConfirmedOptions,
  addJsonOptions,
  addListOptions,
  type ConfirmedOptions,
  type JsonOptions,
  type ListOptions,
} from "./list-options.ts";
import { addSettlingOptions, type SettlingOptions } from "./settling-options.ts";

export interface SubscriptionCreateOptions extends JsonOptions {
  readonly filter: readonly string[];
  readonly ordering?: string;
  readonly ackWait?: number;
  readonly maxDeliveries?: number;
  readonly backoff?: readonly [first: number, longest: number];
  readonly expired?: string;
  readonly priorities?: boolean;
  readonly start?: string;
  readonly where?: Readonly<Record<string, string>>;
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly overflow?: string;
  readonly expiry?: number;
  readonly owner?: string;
  readonly replace?: boolean;
}

export interface SubscriptionDeleteOptions extends ConfirmedOptions {
  readonly force?: boolean;
}

export interface SubscriptionResetOptions extends ConfirmedOptions {
  readonly to: string;
}

export interface SubscriptionPullOptions extends JsonOptions, SettlingOptions {
  readonly limit: number;
  readonly wait: number;
  readonly verbose?: boolean;
}

/** `mess subscription ls|describe|create|delete|reset|pull` */
export function registerSubscription(program: Command, io: Io): void {
  const subscription = program
    .command("subscription")
    .summary("declared subscriptions")
    .description("Named, durable readers of topics: work queues with retries and dead letters.");
  registerReading(subscription, io);
  registerCreate(subscription, io);
  registerChanging(subscription, io);
  registerPull(subscription, io);
}

function registerReading(subscription: Command, io: Io): void {
  addListOptions(
    subscription
      .command("ls")
      .alias("list")
      .summary("list declared subscriptions")
      .description("List declared subscriptions and what waits in them."),
  ).action(async (options: ListOptions) => {
    const { listSubscriptions } = await import("../actions/subscription.ts");
    await listSubscriptions(io, options);
  });
  addJsonOptions(
    subscription
      .command("describe")
      .summary("show a subscription")
      .description("Show a subscription's settings and what waits in it.")
      .argument("<name>", "name of the subscription"),
  ).action(async (name: string, options: JsonOptions) => {
    const { describeSubscription } = await import("../actions/subscription.ts");
    await describeSubscription(io, name, options);
  });
}

function registerCreate(subscription: Command, io: Io): void {
  const choice = (flags: string, description: string, choices: readonly string[]): Option =>
    new Option(flags, description).choices(choices);
  const create = subscription
    .command("create")
    .summary("declare a subscription")
    .description("Declare a subscription: from then on it keeps every message that one of its filters matches.")
    .argument("<name>", "name of the subscription")
    .requiredOption("-f, --filter <filter>", "topic filter; repeatable; quote it", addFilter)
    .addOption(choice("--ordering <mode>", "shared (default), exclusive or key", ["shared", "exclusive", "key"]))
    .option("--ack-wait <duration>", "how long a consumer has for a message (default 30s)", parseDuration)
    .option(
      "--max-deliveries <n>",
      "failed attempts that make a dead letter (default 5)",
      wholeNumber("--max-deliveries", 1, 1_000_000),
    )
    .option("--backoff <first,longest>", "wait after a failed attempt (default 1s,5m)", parseBackoff)
    .addOption(
      choice("--expired <what>", "messages whose expiry passes: drop (default) or dead-letter", [
        "drop",
        "dead-letter",
      ]),
    )
    .option("--priorities", "messages of a higher priority go first")
    .option("--start <place>", "earliest, latest (default), an offset, a time, or -1h")
    .option("--where <name=value>", "only messages with this user property; repeatable", addCondition)
    .option(
      "--max-messages <n>",
      "quota: messages that may wait",
      wholeNumber("--max-messages", 1, Number.MAX_SAFE_INTEGER),
    )
    .option("--max-bytes <size>", "quota: their bytes", parseSize)
    .addOption(
      choice("--overflow <what>", "at the quota: reject publishes (default), drop-oldest or dead-letter", [
        "reject",
        "drop-oldest",
        "dead-letter",
      ]),
    )
    .option("--expiry <duration>", "delete it when nobody consumed for so long", parseDuration)
    .option("--owner <principal>", "who may change it (default: you)")
    .option("--replace", "replace the settings of the subscription that there is; what waits in it stays");
  addJsonOptions(create)
    .addHelpText(
      "after",
      examples([
        "mess subscription create billing --filter 'orders/+/created' --ordering key",
        "mess subscription create audit -f 'orders/#' -f 'users/#' --start earliest --max-deliveries 8 --backoff 1s,5m",
      ]),
    )
    .action(async (name: string, options: SubscriptionCreateOptions) => {
      const { createSubscription } = await import("../actions/subscription.ts");
      await createSubscription(io, name, options);
    });
}

function registerChanging(subscription: Command, io: Io): void {
  addConfirmedOptions(
    subscription
      .command("delete")
      .alias("rm")
      .summary("delete a subscription")
      .description("Delete a subscription. One in which messages or dead letters wait is only deleted with --force.")
      .argument("<name>", "name of the subscription")
      .option("--force", "delete what waits in it too"),
  ).action(async (name: string, options: SubscriptionDeleteOptions) => {
    const { deleteSubscription } = await import("../actions/subscription.ts");
    await deleteSubscription(io, name, options);
  });
  addConfirmedOptions(
    subscription
      .command("reset")
      .summary("set a subscription's position")
      .description(
        "Set where a subscription reads on: what lies behind is read (again), what lies before counts as done. Open leases are void.",
      )
      .argument("<name>", "name of the subscription")
      .requiredOption("--to <place>", "earliest, latest, an offset, a time, or -1h"),
  )
    .addHelpText(
      "after",
      examples(["mess subscription reset billing --to -1h", "mess subscription reset audit --to 4711"]),
    )
    .action(async (name: string, options: SubscriptionResetOptions) => {
      const { resetSubscription } = await import("../actions/subscription.ts");
      await resetSubscription(io, name, options);
    });
}

function registerPull(subscription: Command, io: Io): void {
  const pull = subscription
    .command("pull")
    .summary("take messages over HTTP")
    .description(
      "Take what waits in a subscription, print it, and acknowledge each message once it is printed. With --no-ack --json the " +
        "lease's token is printed, by which it can be settled over HTTP.",
    )
    .argument("<name>", "name of the subscription")
    .option("-n, --limit <n>", "at most n messages", wholeNumber("--limit", 1, 1_000_000_000), 1)
    .option("-w, --wait <duration>", "how long to wait for the first", parseDuration, 0);
  addJsonOptions(addSettlingOptions(pull).option("-v, --verbose", "print the topic before the payload"))
    .addHelpText(
      "after",
      examples(["mess subscription pull billing --limit 10", "mess subscription pull billing --wait 30s --json"]),
    )
    .action(async (name: string, options: SubscriptionPullOptions) => {
      const { pullSubscription } = await import("../actions/pull.ts");
      await pullSubscription(io, name, options);
    });
}

function addFilter(filter: string, others: readonly string[] = []): readonly string[] {
  return [...others, filter];
}

function parseBackoff(text: string): readonly [number, number] {
  const [first, longest, ...more] = text.split(",");
  if (first === undefined || longest === undefined || more.length > 0) {
    throw usageError(`--backoff "${text}" is not two durations`, "for example --backoff 1s,5m");
  }
  return [parseDuration(first.trim()), parseDuration(longest.trim())];
}

function addCondition(text: string, others: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const equals = text.indexOf("=");
  if (equals <= 0) throw usageError(`--where "${text}" is not name=value`);
  // Own members whatever their names: `__proto__` is one like any other.
  return Object.fromEntries([...Object.entries(others), [text.slice(0, equals), text.slice(equals + 1)]]);
}
