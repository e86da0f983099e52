/** What Node and browsers have in common. */

export type { ConnectOptions } from "./connect-options.ts";
export type { ConnectionState } from "./connection/connection.ts";
export type { Ask, Auth, Credentials } from "./connection/credentials.ts";
export type { Duration } from "./duration.ts";
export type { CloseOptions, MessEvents } from "./mess.ts";
export { Mess } from "./mess.ts";
export { MessError, type MessErrorCode, type MessErrorDetail } from "./mess-error.ts";
export type { WillOptions } from "./mqtt/open-mqtt.ts";
export type { Codec, CodecChoice } from "./payload/codec.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./payload/standard-schema.ts";
export type { PublishOptions, Receipt } from "./publish/publish-options.ts";
export type { Handler, ProcessOptions, Queue, QueueOptions } from "./queue/queue.ts";
export type { QueueMessage } from "./queue/queue-message.ts";
export type { QueueReader } from "./queue/queue-reader.ts";
export type { RequestOptions } from "./request/requester.ts";
export type { Respond, Responder, RespondOptions } from "./request/responder.ts";
export type { ReadFrom, ReadOptions, Stream, StreamOptions } from "./stream/stream.ts";
export type { Message, RawMessage } from "./topic/message.ts";
export type { Reader } from "./topic/reader.ts";
export type { PublishArguments, SubscribeArguments, SubscribeOptions, Topic, TopicOptions } from "./topic/topic.ts";
export type { TopicParams, TopicParamTexts } from "./topic/topic-template.ts";
export type { MessageTrace, TraceContext, TraceProvider } from "./trace.ts";
export type { OpenTransport, Pem, Transport, TransportEvents, TransportOptions } from "./transport/transport.ts";
export type { Timer, World } from "./world.ts";
