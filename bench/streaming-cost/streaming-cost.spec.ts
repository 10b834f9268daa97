import type { Span } from "../../core/service/read-spans.js";
import { formatCost } from "./format-cost.js";
import { streamingCost } from "./streaming-cost.js";

function span(name: string, id: string, [start, end]: [number, number], rest: Partial<Span> = {}): Span {
  return { name, service: "", id, parent: "", links: [], start, end, attributes: {}, ...rest };
}

/** One batch at a generator: computed from `start`, encoded for 100 ms until `done`, there at `arrived`, ready at `ready`. */
function batch(id: string, address: string, [start, done, arrived, ready]: [number, number, number, number]): Span[] {
  return [
    span("spin.v1.GeneratorService/SampleTrajectories", `call ${id}`, [start, ready], {
      parent: "i",
      attributes: { "server.address": address },
    }),
    span("spin.v1.GeneratorService/SampleTrajectories", `answer ${id}`, [start, done], { parent: `call ${id}` }),
    span("generator draws", id, [start, done], {
      parent: `answer ${id}`,
      attributes: { "spin.encode_seconds": 0.1 },
    }),
    span("worker draws", `work ${id}`, [start, done], { parent: id }),
    span("take draws", `take ${id}`, [arrived, ready], { parent: "i", links: [id] }),
  ];
}

/** One iteration of two steps in 10 s. The first waits for its batch until 2,500; the second's lies ready. */
const ITERATION = [
  span("iteration", "i", [0, 10_000], { attributes: { "spin.iteration": "it", "spin.iteration.number": 3 } }),
  span("optimizer step", "s1", [1000, 5000], { parent: "i", links: ["b1"] }),
  span("optimizer step", "s2", [5000, 9000], { parent: "i", links: ["b2"] }),
  span("wait for draws", "w1", [1000, 2500], { parent: "s1" }),
  span("worker add", "a1", [2500, 4500], { parent: "s1" }),
  span("worker update", "u1", [4500, 5000], { parent: "s1" }),
  span("wait for draws", "w2", [5000, 5001], { parent: "s2" }),
  span("worker add", "a2", [5001, 8501], { parent: "s2" }),
  span("worker update", "u2", [8501, 9000], { parent: "s2" }),
];
const BATCHES = [...batch("b1", "one", [400, 2400, 2430, 2480]), ...batch("b2", "one", [2400, 4400, 4410, 4450])];

test("an iteration's time is told apart: computing, waiting, streaming", () => {
  const [cost] = streamingCost([...BATCHES, ...ITERATION]);
  expect(cost).toMatchObject({
    iteration: "it",
    number: 3,
    seconds: 10,
    steps: 2,
    batches: 2,
    untraced: 0,
    generators: 1,
  });
  const expected = {
    trainerComputes: 6.499,
    generatorComputes: 3.8,
    waited: 1.501,
    waitedAtFirst: 1.5,
    encoding: 0.2,
    handingOver: 0.04,
    takingIn: 0.09,
    streaming: 0.33,
    // b1's, from 2,300 to 2,480; b2 came while the trainer computed.
    streamingWhileWaiting: 0.18,
  };
  for (const [name, value] of Object.entries(expected)) expect(cost![name as keyof typeof cost]).toBeCloseTo(value, 9);
});

test("two generators that compute side by side share the time", () => {
  const two = [...batch("b1", "one", [400, 2400, 2430, 2480]), ...batch("b2", "two", [400, 2400, 2410, 2450])];
  const [cost] = streamingCost([...two, ...ITERATION]);
  expect(cost).toMatchObject({ generators: 2, generatorComputes: 1.9 });
  // Both came while the trainer waited for the first: that time counts once.
  expect(cost!.streamingWhileWaiting).toBeCloseTo(0.18, 9);
});

test("iterations are told one by one, in order of time", () => {
  const later = ITERATION.map((one) => ({ ...one, id: `${one.id}'`, parent: one.parent && `${one.parent}'` })).map(
    (one) => (one.name === "iteration" ? { ...one, start: 20_000, end: 25_000, attributes: {} } : one),
  );
  const costs = streamingCost([...later, ...BATCHES, ...ITERATION]);
  expect(costs.map(({ seconds, steps }) => [seconds, steps])).toEqual([
    [10, 2],
    [5, 2],
  ]);
});

test("draws whose generator left no trace are counted, not guessed", () => {
  const [cost] = streamingCost([...BATCHES.slice(0, 5), ...ITERATION]);
  expect(cost).toMatchObject({ batches: 1, untraced: 1 });
  expect(formatCost(cost!)).toContain("1 batches of draws (1 more left no trace)");
});

test("a trace of the trainer alone tells nothing of streaming, and one without an iteration nothing at all", () => {
  expect(() => streamingCost(ITERATION)).toThrow(/SPIN_TRACE_FILE for the generators too/);
  expect(() => streamingCost(BATCHES)).toThrow(/no iteration that has ended/);
});

test("goals stand beside the shares; a trainer may wait for a slower generator", () => {
  const [cost] = streamingCost([...BATCHES, ...ITERATION]);
  const text = formatCost(cost!);
  expect(text).toMatch(/^trainer waited for draws +1\.501 s +15\.01 % {2}goal: less than 5 %, missed$/m);
  expect(text).toMatch(/^streaming, all batches +0\.330 s +3\.30 % {2}goal: less than 1 %, missed$/m);
  const slower = formatCost({ ...cost!, generatorComputes: 7, streaming: 0.05 });
  expect(slower).toMatch(/^trainer waited for draws .* no goal: the generators are the slower ones$/m);
  expect(slower).toMatch(/^streaming, all batches .* less than 1 %, reached$/m);
});
