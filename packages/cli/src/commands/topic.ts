import { type Command, Option } from "commander";
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

export interface TopicCreateOptions extends JsonOptions {
  readonly owner?: string;
  readonly retentionAge?: number;
  readonly retentionSize?: number;
  readonly maxMessageSize?: number;
  readonly signing?: string;
  readonly schema?: string;
  readonly key?: string;
  readonly rateMessages?: number;
  readonly rateBytes?: number;
  readonly erasure?: "topic" | "key";
  readonly proofs?: "message";
  readonly replace?: boolean;
}

/** `mess topic ls|describe|create|delete` */
export function registerTopic(program: Command, io: Io): void {
  const topic = program
    .command("topic")
    .summary("declared topics")
    .description("Settings of topics by filter; of several filters that match a topic the most specific one counts.");
  registerReading(topic, io);
  registerCreate(topic, io);
  addConfirmedOptions(
    topic
      .command("delete")
      .alias("rm")
      .summary("take a declaration back")
      .description("Take a declaration back. Messages and subscriptions stay.")
      .argument("<filter>", "topic filter"),
  ).action(async (filter: string, options: ConfirmedOptions) => {
    const { deleteTopic } = await import("../actions/topic.ts");
    await deleteTopic(io, filter, options);
  });
}

function registerReading(topic: Command, io: Io): void {
  addListOptions(
    topic
      .command("ls")
      .alias("list")
      .summary("list declared topics")
      .description("List declared topics and their settings."),
  ).action(async (options: ListOptions) => {
    const { listTopics } = await import("../actions/topic.ts");
    await listTopics(io, options);
  });
  addJsonOptions(
    topic
      .command("describe")
      .summary("show a declaration")
      .description("Show the settings declared for a filter.")
      .argument("<filter>", "topic filter, as it was declared"),
  ).action(async (filter: string, options: JsonOptions) => {
    const { describeTopic } = await import("../actions/topic.ts");
    await describeTopic(io, filter, options);
  });
}

const perSecond = wholeNumber("--rate-messages", 1, 1_000_000_000);

function registerCreate(topic: Command, io: Io): void {
  const create = topic
    .command("create")
    .summary("declare topics")
    .description("Declare the topics that a filter matches: who owns the names, and what holds for their messages.")
    .argument("<filter>", "topic filter; quote it")
    .option("--owner <principal>", "who may declare things under it (default: you)")
    .option("--retention-age <duration>", "keep consumed messages so long, for replay (7d)", parseDuration)
    .option("--retention-size <size>", "keep so much of them (10GiB)", parseSize)
    .option("--max-message-size <size>", "largest message, payload and headers (256KiB)", parseSize)
    .addOption(
      new Option("--signing <mode>", "whether messages must be signed").choices(["required", "optional", "none"]),
    )
    .option("--schema <file>", "JSON Schema that payloads must satisfy; - is stdin")
    .option("--key <template>", "ordering key from a topic level: orders/{id}/#")
    .option("--rate-messages <count>", "messages a second, all publishers together (1000)", perSecond)
    .option("--rate-bytes <size>", "bytes a second, all publishers together (1MiB)", parseSize)
    .addOption(
      new Option("--erasure <by>", "what `mess erase` can destroy by itself: each topic, or each ordering key").choices(
        ["topic", "key"],
      ),
    )
    .addOption(
      new Option("--proofs <what>", "what `mess proof` can prove by itself: each message").choices(["message"]),
    )
    .option("--replace", "replace the declaration that there is");
  addJsonOptions(create)
    .addHelpText(
      "after",
      examples([
        "mess topic create 'orders/#' --owner shop --max-message-size 256KiB",
        "mess topic create 'orders/#' --schema order.schema.json --replace",
      ]),
    )
    .action(async (filter: string, options: TopicCreateOptions) => {
      const { createTopic } = await import("../actions/topic.ts");
      await createTopic(io, filter, options);
    });
}
