export const TEXT_MEDIA_TYPE = "text/plain; charset=utf-8";
export const NDJSON_MEDIA_TYPE = "application/x-ndjson";
export const EVENT_STREAM_MEDIA_TYPE = "text/event-stream";
export const CLOUD_EVENT_MEDIA_TYPE = "application/cloudevents+json";
