// A disk that fails: no acknowledgement any more, ever, in that process; exit 74; what was acknowledged is there (RELIABILITY F7, F8, D8).
import type { ChildProcess } from "node:child_process";
import { describe, expect, it } from "vitest";
import { breakCalls, strace } from "../support/break-calls.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, topic, unique } from "../support/suite.ts";

const failures: [string, string, string][] = [
  ["fdatasync fails with EIO", "fdatasync", "EIO"],
  ["writing fails with EIO", "pwrite64,pwritev,pwritev2", "EIO"],
];

describe.skipIf(strace === undefined)(
  `a failing disk${strace === undefined ? " (not installed: apt-get install strace)" : ""}`,
  () => {
    it.concurrent.each(failures)(
      "%s: nothing more is acknowledged, exit 74, nothing acknowledged is lost",
      async (_name, call, error) => {
        const server = await Server.start();
        let tracer: ChildProcess | undefined;
        try {
          const name = topic();
          const clientId = unique("c");
          const reader = await RawClient.connect(server.mqtt, { ...lasting(5), clientId });
          await reader.subscribe({ filter: name, qos: 1 });
          await reader.disconnect();
          const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
          for (const payload of ["a", "b", "c"]) await publisher.publish({ topic: name, payload, qos: 1 });
          tracer = await breakCalls(server.pid, call, error);
          if (tracer === undefined) {
            process.stderr.write("not allowed to trace the server: this test shows nothing here\n");
            return;
          }
          const began = performance.now();
          for (let id = 1; id <= 20 && !publisher.isClosed; id += 1)
            publisher.send(build.publish({ topic: name, payload: "d", qos: 1, id }));
          const { packets } = await publisher.closed(8_000);
          const acks = packets.filter((packet) => packet.name === "PUBACK");
          expect(acks.filter((packet) => packet.code < 0x80)).toEqual([]);
          const told = packets.find((packet) => packet.name === "DISCONNECT");
          if (told !== undefined) expect([0x80, 0x83, 0x8b, 0x97]).toContain(told.code);
          const exit = await server.exited();
          expect(exit.code).toBe(74);
          expect(performance.now() - began).toBeLessThan(8_000);
          // a process that ends for such a reason says which
          expect(server.stderr).toMatch(/EIO/);
          tracer.kill();
          await server.start();
          const back = await RawClient.connect(server.mqtt, { ...lasting(5), clientId });
          back.autoAck = true;
          const kept = (await back.messages(3)).map((message) => message.payload.toString());
          expect(kept).toEqual(["a", "b", "c"]);
          // each of the others is there whole, or not at all (D5)
          await back.expectNothing(300, (packet) => packet.name === "PUBLISH" && packet.payload.toString() !== "d");
          const again = await RawClient.connect(server.mqtt, { clientId: unique("c") });
          expect((await again.publish({ topic: name, payload: "e", qos: 1 }))?.code).toBe(0);
        } finally {
          tracer?.kill("SIGKILL");
          await server.remove();
        }
      },
      60_000,
    );
  },
);
