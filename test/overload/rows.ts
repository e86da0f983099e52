/** All rows, in the order of the table. */
import { connectionFlood } from "./01-connection-flood.ts";
import { handshakeFlood } from "./02-handshake-flood.ts";
import { slowloris } from "./03-slowloris.ts";
import { slowConsumers } from "./04-slow-consumers.ts";
import { fanOut } from "./05-fan-out.ts";
import { subscriptionBomb } from "./06-subscription-bomb.ts";
import type { Row } from "./row.ts";

export const rows: readonly Row[] = [
  connectionFlood,
  handshakeFlood,
  slowloris,
  slowConsumers,
  fanOut,
  subscriptionBomb,
];
