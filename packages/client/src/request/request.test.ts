import { describe, expect, it, vi } from "vitest";
import { FakeBroker } from "../fake-broker.test-data.ts";
import { MessError } from "../mess-error.ts";
import { openClient, readingSchema } from "../open-client.test-data.ts";

describe("request and respond", () => {
  it("go there and back, many at a time", async () => {
    const { mess, broker } = await openClient();
    const { mess: service } = await openClient({}, broker);
    await using responder = service.respond<{ n: number }>("svc/double", async ({ n }) => {
      await new Promise((resolve) => setTimeout(resolve, 10 - n));
      return n * 2;
    });
    await responder.ready;
    const asked = Array.from({ length: 10 }, (_, n) => mess.request<number>("svc/double", { n }));
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 10 }, (_, n) => n * 2));
    expect(await mess.request("svc/double", { n: 1 }, { headers: { a: "b" }, key: "k" })).toBe(2);
  });

  it("tells at once when nobody answers", async () => {
    const { mess } = await openClient();
    const nobody = mess.request("svc/none", 1);
    await expect(nobody).rejects.toMatchObject({ code: "NO_RESPONDER", retryable: true });
  });

  it("carries a MessError back, and of other errors only that there was one", async () => {
    const { mess } = await openClient();
    const errors: unknown[] = [];
    const options = { onError: (error: unknown) => errors.push((error as Error).message) };
    const handler = (value: unknown): never => {
      if (value === 1) throw new MessError("REFUSED", "no such price", { reason: "NO_PRICE", retryable: true });
      throw new Error("password of the database is hunter2");
    };
    await using responder = mess.respond("svc", handler, options);
    await responder.ready;
    await expect(mess.request("svc", 1)).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
      message: "no such price",
      reason: "NO_PRICE",
      retryable: true,
    });
    const failed = mess.request("svc", 2);
    await expect(failed).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
      message: "the responder failed",
      retryable: false,
    });
    expect(errors).toEqual(["no such price", "password of the database is hunter2"]);
  });

  it("hold both ends to their schemas", async () => {
    const { mess } = await openClient();
    const handler = vi.fn(() => ({ celsius: "warm" }));
    await using responder = mess.respond("svc", handler, { schema: readingSchema });
    await responder.ready;
    const bad = mess.request("svc", {}, { schema: readingSchema });
    await expect(bad).rejects.toMatchObject({ code: "REMOTE_FAILURE", message: /celsius: is not a number/u });
    expect(handler).not.toHaveBeenCalled();
    const reply = mess.request("svc", { celsius: 1 }, { schema: readingSchema });
    await expect(reply).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
  });

  it("give up at the timeout and by the signal", async () => {
    const { mess } = await openClient();
    await using responder = mess.respond("svc", () => new Promise((resolve) => setTimeout(resolve, 300)));
    await responder.ready;
    await expect(mess.request("svc", 1, { timeout: 30 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: /no reply/u,
    });
    const signal = AbortSignal.timeout(10);
    await expect(mess.request("svc", 1, { signal })).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("survive a lost connection", async () => {
    const { mess, broker } = await openClient();
    let answer: () => void = () => undefined;
    await using responder = mess.respond(
      "svc",
      () => new Promise<string>((resolve) => (answer = () => resolve("done"))),
    );
    await responder.ready;
    const asked = mess.request("svc", 1);
    await vi.waitFor(() => expect(broker.log.map(({ topic }) => topic)).toContain("svc"));
    await new Promise((resolve) => setTimeout(resolve, 10));
    broker.cutAll();
    await new Promise((resolve) => setTimeout(resolve, 30));
    answer();
    expect(await asked).toBe("done");
  });

  it("replies only where replies may go", async () => {
    const broker = new FakeBroker();
    const { mess } = await openClient({}, broker);
    const errors: unknown[] = [];
    await using responder = mess.respond("svc", () => "secret", { onError: (error) => errors.push(error) });
    await responder.ready;
    broker.publish("svc", "1", { responseTopic: "orders/created", correlationData: new Uint8Array([1]) });
    await vi.waitFor(() => expect(errors).toMatchObject([{ message: /replyTo does not allow/u }]));
    broker.publish("svc", "1", { responseTopic: "reply/other/x" });
    await vi.waitFor(() => expect(broker.log.at(-1)).toMatchObject({ topic: "reply/other/x", payload: '"secret"' }));
  });

  it("run what is a message and no request, and reply to nobody", async () => {
    const { mess, broker } = await openClient();
    const handler = vi.fn(() => "x");
    await using responder = mess.respond("svc", handler);
    await responder.ready;
    broker.publish("svc", "1");
    await vi.waitFor(() => expect(handler).toHaveBeenCalledOnce());
    expect(broker.log).toHaveLength(1);
  });

  it("share the work in a group, and no more than concurrency at a time", async () => {
    const { mess, broker } = await openClient();
    let running = 0;
    let most = 0;
    const handler = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
    };
    await using responder = mess.respond("svc", handler, { group: "g", concurrency: 2 });
    await responder.ready;
    expect([...broker.sessions.values()].flatMap(({ subscriptions }) => [...subscriptions.keys()])).toContain(
      "$share/g/svc",
    );
    const replies = await Promise.all(Array.from({ length: 8 }, () => mess.request("svc", 1)));
    expect(replies).toEqual(Array.from({ length: 8 }, () => null));
    expect(most).toBe(2);
  });

  it("stop gracefully: what runs is answered", async () => {
    const { mess } = await openClient();
    const stop = new AbortController();
    const responder = mess.respond(
      "svc",
      async () => {
        stop.abort();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return "late";
      },
      { signal: stop.signal },
    );
    await responder.ready;
    expect(await mess.request("svc", 1)).toBe("late");
    await responder.stopped;
  });

  it("reject a topic that is a filter", async () => {
    const { mess } = await openClient();
    await expect(mess.request("svc/+", 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
