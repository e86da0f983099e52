// The form in which a message handler sees a PUBLISH: whoever has the client needs no codec of its own.
export type { PublishView } from "@mess/wire";
export { type Address, isLoopback, parseAddress } from "./address.ts";
export { MessClient, type PublishOptions, type SubscribeFilter } from "./client.ts";
export { type ConnectOptions, connect, type WillOptions } from "./connect.ts";
export { MessError, type MessErrorCode, type MessErrorDetail } from "./mess-error.ts";
export type { Message } from "./message.ts";
export type { PublishResult, Settled } from "./publisher.ts";
export type { OpenTransport, Transport, TransportEvents, TransportOptions } from "./transport.ts";
