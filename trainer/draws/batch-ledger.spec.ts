import { BatchLedger } from "./batch-ledger.js";
import type { Draws } from "./check-draws.js";

/** Draws of a batch, told apart by their trace. */
const draws = (traceparent: string) => ({ traceparent }) as Draws;

function ledger(options: { numBatches?: number; firstBatch?: number } = {}) {
  const clock = { ms: 0 };
  const { numBatches = 10, firstBatch = 0 } = options;
  return { clock, batches: new BatchLedger<string>({ firstBatch, numBatches, now: () => clock.ms }) };
}

test("batches are asked for in order within the window, and taken in order whatever the order in which they come", () => {
  const { batches } = ledger({ firstBatch: 4 });
  const [a, b] = [batches.ask("a", 2)!, batches.ask("b", 2)!];
  expect([a.batch, b.batch, batches.ask("a", 2)]).toEqual([4, 5, undefined]);
  expect(batches.deliver(b, draws("5"))).toBe(true);
  expect(batches.take()).toBeUndefined();
  expect(batches.deliver(a, draws("4"))).toBe(true);
  expect([batches.take(), batches.take(), batches.take()]).toEqual([draws("4"), draws("5"), undefined]);
  expect(batches.ask("a", 2)!.batch).toBe(6);
});

test("what was given up is asked of the next one first, and a second delivery of a batch is of no use", () => {
  const { batches } = ledger();
  const [a, b] = [batches.ask("a", 4)!, batches.ask("b", 4)!];
  batches.giveUp(b);
  batches.giveUp(a);
  const again = batches.ask("b", 4)!;
  expect(again.batch).toBe(0);
  expect(batches.deliver(a, draws("late"))).toBe(false);
  expect(batches.deliver(again, draws("0"))).toBe(true);
  expect(batches.deliver(again, draws("0"))).toBe(false);
  batches.giveUp(again); // It has come already.
  expect(batches.ask("a", 4)!.batch).toBe(1);
  expect(batches.take()).toEqual(draws("0"));
});

describe("a straggler's batch", () => {
  /** One batch delivered in 300 ms by each, and one that only "slow" is asked for. */
  function straggling() {
    const { clock, batches } = ledger({ numBatches: 2 });
    const [fast, slow] = [batches.ask("fast", 2)!, batches.ask("slow", 2)!];
    clock.ms = 300;
    batches.deliver(fast, draws("0"));
    return { clock, batches, slow };
  }

  test("is asked of another after four times what a batch usually takes, once", () => {
    const { clock, batches } = straggling();
    clock.ms = 1_200;
    expect(batches.ask("fast", 2)).toBeUndefined();
    clock.ms = 1_201;
    expect(batches.ask("slow", 2)).toBeUndefined();
    expect(batches.ask("fast", 2)!.batch).toBe(1);
    clock.ms = 60_000;
    expect(batches.ask("third", 2)).toBeUndefined();
  });

  test("counts when it comes first, from either", () => {
    for (const isFirst of [true, false]) {
      const { clock, batches, slow } = straggling();
      clock.ms = 2_000;
      const again = batches.ask("fast", 2)!;
      const [first, second] = isFirst ? [slow, again] : [again, slow];
      expect(batches.deliver(first, draws("first"))).toBe(true);
      expect([first.overtaken.signal.aborted, second.overtaken.signal.aborted]).toEqual([false, true]);
      expect(batches.deliver(second, draws("second"))).toBe(false);
      batches.giveUp(second);
      expect([batches.take(), batches.take()]).toEqual([draws("0"), draws("first")]);
      expect(batches.isDone).toBe(true);
    }
  });

  test("stays with the one that is left when the other gives up", () => {
    const { clock, batches, slow } = straggling();
    clock.ms = 2_000;
    const again = batches.ask("fast", 2)!;
    batches.giveUp(again);
    clock.ms = 2_100;
    expect(batches.ask("third", 2)!.batch).toBe(1); // The straggler has had its time.
    batches.giveUp(slow);
    expect(batches.ask("slow", 2)).toBeUndefined();
  });

  test("is nobody's before any batch has come, and never sooner than after a second", () => {
    const { clock, batches } = ledger({ numBatches: 1 });
    batches.ask("slow", 2);
    clock.ms = 100_000;
    expect(batches.ask("fast", 2)).toBeUndefined();
    const quick = ledger({ numBatches: 2 });
    const first = quick.batches.ask("fast", 2)!;
    quick.batches.ask("slow", 2);
    quick.clock.ms = 1;
    quick.batches.deliver(first, draws("0"));
    quick.clock.ms = 1_000;
    expect(quick.batches.ask("fast", 2)).toBeUndefined();
    quick.clock.ms = 1_001;
    expect(quick.batches.ask("fast", 2)!.batch).toBe(1);
  });
});
