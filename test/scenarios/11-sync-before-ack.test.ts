// Seen by strace: each PUBACK leaves after an fdatasync that began after the publish was written, and a lone publish costs one (D1).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { sleep, topic, unique } from "../support/suite.ts";
import { tool } from "../support/tools.ts";

const strace = tool("strace");

interface Event {
  readonly kind: "read" | "write" | "sync-begin" | "sync-end" | "journal-write-begin" | "journal-write-end";
  readonly bytes: Buffer;
}

/** What the calls of a trace were, in order. A call that another thread interrupts stands twice: where it begins and where it ends. */
function events(trace: string): Event[] {
  const all: Event[] = [];
  for (const line of trace.split("\n")) {
    const call = /^\d+ +(?:<\.\.\. )?(\w+)/.exec(line)?.[1] ?? "";
    const isResumed = line.includes("resumed>");
    const isUnfinished = line.includes("<unfinished ...>");
    const bytes = Buffer.from(
      [...line.matchAll(/\\x([0-9a-f]{2})/g)].map((found) => Number.parseInt(found[1] ?? "0", 16)),
    );
    const push = (kind: Event["kind"]): void => void all.push({ kind, bytes });
    if (call === "fdatasync" || call === "fsync") {
      if (!isResumed) push("sync-begin");
      if (!isUnfinished && / = 0/.test(line)) push("sync-end");
    } else if (/^pwrite/.test(call)) {
      if (!isResumed) push("journal-write-begin");
      if (!isUnfinished) push("journal-write-end");
    } else if (/^read/.test(call)) {
      if (!isUnfinished) push("read");
    } else if (/^(write|writev|sendmsg|sendto)$/.test(call) && !isResumed) push("write");
  }
  return all;
}

const holds = (event: Event, bytes: Buffer): boolean => event.bytes.includes(bytes);

/** Positions of the read of a publish and of the write of its acknowledgement. */
function span(all: readonly Event[], id: number): { from: number; to: number } {
  const mark = Buffer.from([id >> 8, id & 255]);
  const from = all.findIndex(
    (event) => event.kind === "read" && holds(event, Buffer.concat([Buffer.from("sync"), mark])),
  );
  const ackForms = [2, 3, 4].map((length) => Buffer.concat([Buffer.from([0x40, length]), mark]));
  const to = all.findIndex(
    (event, index) => index > from && event.kind === "write" && ackForms.some((form) => holds(event, form)),
  );
  if (from < 0 || to < 0) throw new Error(`the trace does not show publish ${id}: ${from}, ${to}`);
  return { from, to };
}

/** How many syncs began after a journal write that began after `from`, and ended before `to`. */
function coveringSyncs(all: readonly Event[], from: number, to: number): number {
  let isWritten = false;
  let isWriting = false;
  let begun = 0;
  let complete = 0;
  for (const event of all.slice(from, to)) {
    if (event.kind === "journal-write-begin") isWriting = true;
    if (event.kind === "journal-write-end" && isWriting) isWritten = true;
    if (event.kind === "sync-begin" && isWritten) begun += 1;
    if (event.kind === "sync-end" && begun > 0) {
      begun -= 1;
      complete += 1;
    }
  }
  return complete;
}

describe.skipIf(strace === undefined)(
  `under strace${strace === undefined ? " (not installed: apt-get install strace)" : ""}`,
  () => {
    const directory = mkdtempSync(join(tmpdir(), "mess-strace-"));
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    const trace = join(directory, "trace");

    it("every PUBACK follows its sync, and a lone publish costs one", async () => {
      const calls = "trace=fdatasync,fsync,read,readv,pwrite64,pwritev,pwritev2,write,writev,sendmsg,sendto";
      // -D keeps the server a child of ours, with strace beside it
      const wrapper = [strace ?? "", "-D", "-f", "-xx", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", trace];
      const server = await Server.start({ wrapper });
      const lone = 12;
      const busy = 120;
      try {
        const client = await RawClient.connect(server.mqtt, { clientId: unique("c"), version: 4 });
        // the topic ends with the id, so that the read of a publish can be found: "sync" + id
        const name = `${topic()}/sync`;
        await sleep(1_200);
        for (let id = 0x2121; id < 0x2121 + lone; id += 1) {
          client.send(build.publish({ version: 4, topic: name, qos: 1, id, payload: "alone" }));
          await client.take({ name: "PUBACK", id }, 10_000);
          await sleep(40);
        }
        const ids = Array.from({ length: busy }, (_, index) => 0x4141 + index);
        for (const id of ids) {
          client.send(build.publish({ version: 4, topic: name, qos: 1, id, payload: "many" }));
          if (id % 7 === 0) await sleep(1);
        }
        for (const id of ids) await client.take({ name: "PUBACK", id }, 15_000);
      } finally {
        await server.remove();
      }
      await sleep(200);
      const all = events(readFileSync(trace, "latin1"));
      const costs: number[] = [];
      for (let id = 0x2121; id < 0x2121 + lone; id += 1) {
        const { from, to } = span(all, id);
        expect(coveringSyncs(all, from, to), `lone publish ${id}`).toBeGreaterThanOrEqual(1);
        costs.push(all.slice(from, to).filter((event) => event.kind === "sync-begin").length);
      }
      expect(costs).toEqual(costs.map(() => 1));
      for (let id = 0x4141; id < 0x4141 + busy; id += 1) {
        const { from, to } = span(all, id);
        expect(coveringSyncs(all, from, to), `publish ${id} under load`).toBeGreaterThanOrEqual(1);
      }
    }, 60_000);
  },
);
