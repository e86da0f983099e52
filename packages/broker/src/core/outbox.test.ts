import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import type { Link } from "../model/link.ts";
import { FakeLink } from "./fake-link.test-data.ts";
import { MemoryJournal } from "./memory-journal.test-data.ts";
import { Outbox } from "./outbox.ts";
import type { Session } from "./session.ts";

function build(): { journal: MemoryJournal; outbox: Outbox; said: string[]; link: FakeLink } {
  const journal = new MemoryJournal();
  const said: string[] = [];
  const outbox = new Outbox(journal, {
    session: (session) => said.push(`wake ${(session as unknown as { name: string }).name}`),
    group: () => said.push("wake group"),
    queues: () => said.push("wake queues"),
  });
  journal.start({
    beforeSeal: () => outbox.seal(),
    committed: (frame) => outbox.release(frame.firstSeq + frame.count - 1),
    failed: () => outbox.refuse(Reason.implementationSpecific),
  });
  const link = new FakeLink("l");
  return { journal, outbox, said, link };
}

const session = (name: string): Session => ({ name, wokenFor: -1 }) as unknown as Session;
const record = (journal: MemoryJournal): void => void journal.reserve(1, 4);

describe("the outbox", () => {
  test("with nothing on its way to the disk everything happens at once", () => {
    const { outbox, said, link } = build();
    outbox.action(() => said.push("action"));
    outbox.confirm(link, 1, 0, 5);
    expect([said, link.told]).toEqual([["action"], ["confirm 1 qos 1 0"]]);
  });

  test("what belongs to the open frame waits for it, and asks for its commit", () => {
    const { journal, outbox, said } = build();
    record(journal);
    outbox.action(() => said.push("one"));
    expect([journal.wanted, said]).toEqual([true, []]);
    journal.seal();
    expect(said).toEqual([]);
    journal.commitSealed();
    expect(said).toEqual(["one"]);
  });

  test("frames in a row: each batch goes with its own", () => {
    const { journal, outbox, said } = build();
    for (const name of ["one", "two", "three"]) {
      record(journal);
      outbox.action(() => said.push(name));
      journal.seal();
    }
    // Nothing new: it belongs to the last frame on its way.
    outbox.action(() => said.push("late"));
    journal.commitSealed();
    expect(said).toEqual(["one"]);
    journal.commitSealed();
    expect(said).toEqual(["one", "two"]);
    journal.commitSealed();
    expect(said).toEqual(["one", "two", "three", "late"]);
  });

  test("records of the journal's own behind those of the core do not shift the pairs", () => {
    const { journal, outbox, said } = build();
    record(journal);
    outbox.action(() => said.push("one"));
    journal.seal(2);
    outbox.action(() => said.push("between"));
    record(journal);
    outbox.action(() => said.push("two"));
    journal.commitSealed();
    expect(said).toEqual(["one"]);
    journal.commitNow();
    expect(said).toEqual(["one", "between", "two"]);
  });

  test("a frame of the journal's own alone lets go what waited for it", () => {
    const { journal, outbox, said } = build();
    journal.seal(1);
    outbox.action(() => said.push("one"));
    expect(said).toEqual([]);
    journal.commitSealed();
    expect(said).toEqual(["one"]);
  });

  test("CONNACK first, then answers in order, then what was asked, then who is woken, once", () => {
    const { journal, outbox, said, link } = build();
    record(journal);
    const reader = session("reader");
    outbox.wakeSession(reader);
    outbox.wakeSession(reader);
    outbox.action(() => said.push(`action after ${link.told.length} answers`));
    outbox.confirm(link, 7, 0, 5);
    outbox.completed(link, 8, 0x92);
    outbox.received(link, 65_535, 0x10);
    outbox.attachment(() => said.push("attached"));
    journal.commitNow();
    expect(said).toEqual(["attached", "action after 3 answers", "wake reader"]);
    expect(link.told).toEqual(["confirm 7 qos 1 0", `completed 8 ${0x92}`, "confirm 65535 qos 2 16"]);
  });

  test("an effect may write records: what follows from it waits for those", () => {
    const { journal, outbox, said } = build();
    record(journal);
    outbox.action(() => {
      said.push("one");
      record(journal);
      outbox.action(() => said.push("two"));
    });
    journal.seal();
    journal.commitSealed();
    expect(said).toEqual(["one"]);
    journal.commitNow();
    expect(said).toEqual(["one", "two"]);
  });

  test("woken again for a later frame", () => {
    const { journal, outbox, said } = build();
    const reader = session("reader");
    for (let i = 0; i < 2; i++) {
      record(journal);
      outbox.wakeSession(reader);
      journal.commitNow();
    }
    expect(said).toEqual(["wake reader", "wake reader"]);
  });

  test("after a failure nothing succeeds any more, not even what has no record of its own (D8)", () => {
    const { journal, outbox, said, link } = build();
    record(journal);
    outbox.confirm(link, 1, 0, 5);
    outbox.action(() => said.push("one"));
    journal.seal();
    journal.fail();
    outbox.action(() => said.push("late"));
    outbox.confirm(link as Link, 2, 0, 5);
    expect(said).toEqual([]);
    expect(link.told).toEqual([`confirm 1 qos 1 ${Reason.implementationSpecific}`]);
  });
});
