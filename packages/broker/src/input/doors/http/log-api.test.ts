import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adminKey, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
});
afterEach(async () => {
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

const get = (path: string, key: string = adminKey): Promise<Reply> => ask(door, path, { key });

describe("the journal as a log", () => {
  it("shows its checkpoint and its key as text, to whoever may read the audit trail", async () => {
    const checkpoint = await get("/v1/log/checkpoint");
    expect(checkpoint).toMatchObject({ status: 200, headers: { "content-type": "text/plain; charset=utf-8" } });
    expect(checkpoint.text).toBe(door.administration.log.checkpoint());
    expect((await get("/v1/log/key")).text).toBe("mess/00+00000000+AQ==\n");
    for (const path of ["checkpoint", "key", "inclusion?seq=1", "consistency?from=1"]) {
      expect((await get(`/v1/log/${path}`, readerKey)).status).toBe(403);
    }
  });

  it("proves a record in a new checkpoint, or in the size that is asked for", async () => {
    const hash = (byte: number): string => Buffer.alloc(32, byte).toString("base64");
    const proof = {
      seq: 3,
      frame: { firstSeq: 1, count: 9 },
      index: 0,
      root: hash(1),
      leafData: hash(1),
      path: [hash(2)],
    };
    const checkpoint = door.administration.log.checkpoint();
    expect((await get("/v1/log/inclusion?seq=3")).json).toEqual({ ...proof, size: 2, checkpoint });
    expect((await get("/v1/log/inclusion?seq=3&size=1")).json).toEqual({ ...proof, size: 1 });
  });

  it("shows a record only to who may read it", async () => {
    const shown = (await get("/v1/log/inclusion?seq=4")).json["record"] as Record<string, unknown>;
    expect(Buffer.from(String(shown["body"]), "base64").subarray(24).toString()).toBe("tpayload");
    const { authorize } = door.administration;
    door.administration.authorize = (principal, action, topic) =>
      authorize(principal, action, topic) && !(action === "subscribe" && topic === "t");
    const hidden = (await get("/v1/log/inclusion?seq=4")).json["record"];
    const { body: _, ...rest } = shown;
    expect(hidden).toEqual(rest);
  });

  it("proves that it only grew", async () => {
    expect((await get("/v1/log/consistency?from=1")).json).toMatchObject({
      from: 1,
      to: 2,
      checkpoint: expect.any(String),
    });
    expect((await get("/v1/log/consistency?from=1&to=2")).json).not.toHaveProperty("checkpoint");
  });

  it("says what it cannot prove", async () => {
    expect(await get("/v1/log/inclusion?seq=10")).toMatchObject({ status: 404 });
    expect(await get("/v1/log/inclusion?seq=9")).toMatchObject({ status: 429 });
    for (const query of ["", "?seq=-1", "?seq=x", "?seq=1&size=1e99"]) {
      expect(await get(`/v1/log/inclusion${query}`)).toMatchObject({ status: 400 });
    }
  });
});
