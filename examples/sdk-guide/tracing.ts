// Traces that go on through the broker. With OpenTelemetry, `inject` and `run` are two lines each: see docs/sdk.md.
import { AsyncLocalStorage } from "node:async_hooks";
import { connect, type MessageTrace, type TraceContext } from "@mess/client";

const current = new AsyncLocalStorage<TraceContext | undefined>();

await using mess = await connect(process.env["MESS_URL"] ?? "mqtts://localhost:8883", {
  tracing: {
    inject: () => current.getStore(),
    run: (parent: MessageTrace | undefined, handler) => current.run(parent, handler),
  },
});

const stop = new AbortController();
const working = mess.queue("billing").process(
  ({ trace }) => {
    console.log(trace?.traceId, current.getStore()?.traceparent === trace?.traceparent);
    stop.abort();
  },
  { signal: stop.signal },
);
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
await current.run({ traceparent }, () => mess.topic("orders/5/created").publish({ id: 5 }));
await working;
