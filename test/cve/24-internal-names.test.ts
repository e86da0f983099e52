// LESSONS 24, NATS CVE-2026-33217, 2026-21. Elsewhere names that the broker used for itself were shut in one protocol
// and open in the other, and the first mending shut one spelling alone. Here one list of names and forms is tried by
// every protocol, and each says no.
import { expect, it } from "vitest";
import type { Arena, Principal } from "../../attacks/support/arena.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const roots = ["$SYS", "$mess", "$mess/queue", "$mess/queue/admin", "$mess/audit", "$CONTROL", "$JS", "$MQTT"];
const filters = roots.flatMap((root) => [root, `${root}/#`, `${root}/+`, `${root}/+/#`, `${root}/x`]);
const names = roots.flatMap((root) => [root, `${root}/`, `${root}/x`, `${root}//x`]);

const strangers = (arena: Arena): Promise<Principal[]> =>
  Promise.all([arena.principal("everything"), arena.principal("tenant")]);

atEachDoor(field, "every internal name over MQTT", async (arena, door) => {
  for (const who of await strangers(arena)) {
    for (const version of [4, 5] as const) {
      for (const filter of [...filters, ...filters.slice(0, 10).map((each) => `$share/g/${each}`)]) {
        const reader = await arena.connect(who, { version }, door);
        const suback = await reader.subscribe(filter, { refusable: true }).catch(() => undefined);
        expect(suback?.codes[0] ?? 0x80, `SUBSCRIBE ${filter}`).toBeGreaterThanOrEqual(0x80);
        reader.stream.destroy();
      }
    }
    for (const topic of names) {
      const writer = await arena.connect(who, {}, door);
      const puback = await writer.publish({ topic, payload: "x", qos: 1 }).catch(() => undefined);
      expect(puback?.code ?? 0x80, `PUBLISH ${topic}`).toBeGreaterThanOrEqual(0x80);
      writer.stream.destroy();
    }
  }
});

it("every internal name over HTTP", async () => {
  const { arena } = field;
  for (const who of await strangers(arena)) {
    for (const topic of names) {
      const path = `/v1/messages?topic=${encodeURIComponent(topic)}`;
      const { status } = await arena.ask(who, path, { method: "POST", body: "x" });
      expect([400, 403, 422], `POST ${topic}`).toContain(status);
      const other = `/v1/topics/${encodeURIComponent(topic)}/messages`;
      const again = await arena.ask(who, other, { method: "POST", body: "x" });
      expect([400, 403, 404, 422], `POST ${other}`).toContain(again.status);
    }
    for (const filter of filters) {
      const query = `filter=${encodeURIComponent(filter)}`;
      expect([400, 403, 422], `GET /v1/events ${filter}`).toContain(await arena.statusOf(who, `/v1/events?${query}`));
      // a page of what the reader may read, which is nothing
      const { status, text } = await arena.ask(who, `/v1/messages?${query}`);
      if (status === 200) expect(JSON.parse(text), `GET /v1/messages ${filter}`).toMatchObject({ messages: [] });
      else expect([400, 403, 422], `GET /v1/messages ${filter}`).toContain(status);
    }
  }
});
