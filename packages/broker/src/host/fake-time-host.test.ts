import { describe, expect, it } from "vitest";
import { FakeTimeHost } from "./fake-time-host.ts";

const start = 1_000_000;
const machine = (seed = 1): FakeTimeHost => new FakeTimeHost({ seed, startAt: start, capacityBytes: 2 ** 20 });
const realTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

describe("FakeTimeHost", () => {
  it("stands still until it is moved", async () => {
    const { host } = machine();
    let fired = false;
    host.timers.after(1, () => {
      fired = true;
    });
    await realTurn();
    expect(fired).toBe(false);
    expect([host.clock.now(), host.clock.monotonic()]).toEqual([start, 0]);
  });

  it("does what takes no time by itself", async () => {
    const { host } = machine();
    await host.disk.makeDirectory("/d");
    const file = await host.disk.open("/d/f", "create");
    await new Promise<void>((resolve) => file.writeAt(Buffer.from("x"), 0, () => file.datasync(() => resolve())));
    await new Promise<void>((resolve) => host.timers.soon(resolve));
    expect(await host.disk.list("/d")).toEqual(["f"]);
    expect(host.clock.monotonic()).toBe(0);
  });

  it("runs timers in their order and shows each its own time, then stands exactly where it was moved to", async () => {
    const time = machine();
    const seen: [string, number][] = [];
    const note = (name: string) => (): void => void seen.push([name, time.host.clock.monotonic()]);
    time.host.timers.after(300, note("late"));
    time.host.timers.after(100, () => {
      note("early")();
      time.host.timers.after(100, note("between"));
    });
    time.host.timers.after(200, note("cancelled")).cancel();
    await time.advance(1_000);
    expect(seen).toEqual([
      ["early", 100],
      ["between", 200],
      ["late", 300],
    ]);
    expect(time.now()).toBe(start + 1_000);
  });

  it("gives promises their turn before it goes on", async () => {
    const time = machine();
    const seen: number[] = [];
    const work = async (): Promise<void> => {
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
      seen.push(time.host.clock.monotonic());
    };
    time.host.timers.after(10, () => void work());
    time.host.timers.after(11, () => undefined);
    await time.advance(100);
    expect(seen).toEqual([10]);
  });

  it("runs one advance after the other", async () => {
    const time = machine();
    await Promise.all([time.advance(1_000), time.advance(500)]);
    expect(time.now()).toBe(start + 1_500);
  });

  it("passes long times quickly, and lets all that is due within happen", async () => {
    const time = machine();
    const { timers, clock } = time.host;
    let ticks = 0;
    const again = (): void => {
      ticks++;
      timers.after(100, again);
    };
    again();
    const year = 365 * 86_400_000;
    let lastSecond = 0;
    timers.after(year - 500, () => {
      lastSecond = clock.monotonic();
    });
    await time.advance(year);
    expect(ticks).toBeGreaterThan(1_000);
    expect(ticks).toBeLessThan(50_000);
    expect(lastSecond).toBe(year - 500);
    // exact again afterwards
    ticks = 0;
    await time.advance(10_000);
    expect(ticks).toBeGreaterThanOrEqual(99);
  });

  it("jumps with the wall clock alone", () => {
    const time = machine();
    time.jump(-5_000);
    expect([time.host.clock.now(), time.host.clock.monotonic()]).toEqual([start - 5_000, 0]);
  });

  it("draws the same numbers from the same seed", () => {
    const draw = (seed: number): string => Buffer.from(machine(seed).host.random.bytes(16)).toString("hex");
    expect(draw(5)).toBe(draw(5));
    expect(draw(5)).not.toBe(draw(6));
  });
});
