/** All rows, in the order of the table. */
import { connectionFlood } from "./01-connection-flood.ts";
import { handshakeFlood } from "./02-handshake-flood.ts";
import { slowloris } from "./03-slowloris.ts";
import { slowConsumers } from "./04-slow-consumers.ts";
import { fanOut } from "./05-fan-out.ts";
import { subscriptionBomb } from "./06-subscription-bomb.ts";
import { retainedBomb } from "./07-retained-bomb.ts";
import { retainedStorm } from "./08-retained-storm.ts";
import { topicBomb } from "./09-topic-bomb.ts";
import { unreleasedBomb } from "./10-unreleased-bomb.ts";
import { oversize } from "./11-oversize.ts";
import { propertyBomb } from "./12-property-bomb.ts";
import { aliasBomb } from "./13-alias-bomb.ts";
import { sessionBomb } from "./14-session-bomb.ts";
import { willStorm } from "./15-will-storm.ts";
import { webSocketBombs } from "./16-websocket-bombs.ts";
import { httpBombs } from "./17-http-bombs.ts";
import { failureBomb } from "./18-failure-bomb.ts";
import { publishFlood } from "./20-publish-flood.ts";
import { unreadAnswers } from "./21-unread-answers.ts";
import type { Row } from "./row.ts";

export const rows: readonly Row[] = [
  connectionFlood,
  handshakeFlood,
  slowloris,
  slowConsumers,
  fanOut,
  subscriptionBomb,
  retainedBomb,
  retainedStorm,
  topicBomb,
  unreleasedBomb,
  oversize,
  propertyBomb,
  aliasBomb,
  sessionBomb,
  willStorm,
  webSocketBombs,
  httpBombs,
  failureBomb,
  publishFlood,
  unreadAnswers,
];
