import type { Case } from "./cases.js";
import type { Measurement } from "./measure.js";
import { runRounds, type Side, timeLeft } from "./rounds.js";

const caseOf = (id: string): Case => ({ id, name: id, bench: "unet", flags: {}, goals: {} });
const CASES = [caseOf("a"), caseOf("b")];
const measured = (ms: number): Measurement => ({
  ms,
  all_ms: [ms],
  peak_rss_mb: 100,
  setup_ms: 0,
  settings: { threads: 1 },
  parameters: 1,
  latent: [4, 8, 8],
  runtime: "",
});

test("both sides take turns, each case in each round, and the other side begins every other round", async () => {
  const order: string[] = [];
  const measure = async (of: Case, side: Side) => measured(order.push(`${of.id} ${side}`));
  const found = await runRounds(CASES, 2, measure, () => undefined);
  expect(order).toEqual(["a here", "a torch", "b here", "b torch", "a torch", "a here", "b torch", "b here"]);
  expect(found.map(({ here, torch }) => [here, torch].map((side) => side.map(({ ms }) => ms)))).toEqual([
    [
      [1, 6],
      [2, 5],
    ],
    [
      [3, 8],
      [4, 7],
    ],
  ]);
});

test("a case that fails is left out from then on, with the reason, and the others go on", async () => {
  const order: string[] = [];
  const measure = async (of: Case, side: Side) => {
    order.push(`${of.id} ${side}`);
    if (of.id === "a" && side === "torch") throw new Error("out of memory");
    return measured(1);
  };
  const lines: string[] = [];
  const found = await runRounds(CASES, 2, measure, (line) => void lines.push(line));
  expect(order).toEqual(["a here", "a torch", "b here", "b torch", "b torch", "b here"]);
  expect(found.map(({ failure }) => failure)).toEqual(["out of memory", undefined]);
  expect(lines[1]).toContain("a, PyTorch: failed: out of memory");
});

test("after each run a line tells the figures and the time that is left, and what is known is handed over", async () => {
  let clock = 0;
  const measure = async (_: Case, side: Side) => {
    clock += side === "here" ? 1000 : 3000;
    return measured(12.34);
  };
  const told: [string, number][] = [];
  const tell = (line: string, found: readonly { readonly here: readonly unknown[] }[]) =>
    void told.push([line, found[0]!.here.length]);
  await runRounds([CASES[0]!], 2, measure, tell, () => clock);
  expect(told).toEqual([
    ["1/4 round 1, a, here: 12.3 ms, 100 MiB; 3 s left", 1],
    ["2/4 round 1, a, PyTorch: 12.3 ms, 100 MiB; 4 s left", 1],
    ["3/4 round 2, a, PyTorch: 12.3 ms, 100 MiB; 1 s left", 1],
    ["4/4 round 2, a, here: 12.3 ms, 100 MiB; 0 s left", 2],
  ]);
});

test("what has not run yet is taken to last as long as the others on the average", () => {
  const durations = new Map([
    ["a", 100],
    ["b", 300],
  ]);
  expect(timeLeft(["a", "c", "c"], durations)).toBe(500);
  expect(timeLeft(["a"], new Map())).toBe(0);
});
