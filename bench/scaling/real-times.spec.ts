import type { Span } from "../../core/service/read-spans.js";
import { realTimes } from "./real-times.js";
import { simulate } from "./simulate.js";

function span(name: string, start: number, end: number, attributes: Span["attributes"] = {}): Span {
  return { name, service: "", id: `${name} ${start}`, parent: "", links: [], start, end, attributes };
}

/** One generator of 2 s a batch, whose first takes 3; a trainer that is built after 1 s and steps in 500 ms. */
const TRACE = [
  span("iteration", 0, 9_000),
  ...[1_000, 4_000, 6_000].flatMap((start, i) => {
    const end = start + (i === 0 ? 3_000 : 2_000);
    return [span("generator draws", start, end, { "spin.message_bytes": 1000 + i }), span("worker draws", start, end)];
  }),
  span("optimizer step", 2_000, 4_500),
  span("optimizer step", 4_500, 6_500),
  span("optimizer step", 6_500, 8_500),
  ...[4_000, 6_000, 8_000].flatMap((start) => [
    span("worker add", start, start + 400),
    span("worker update", start + 400, start + 500),
  ]),
];

test("a trace tells what a batch and a step take, and what comes before the first of each", () => {
  const { seconds, measured } = realTimes(TRACE, 1);
  expect(seconds).toBe(7.5);
  expect(measured).toMatchObject({
    batchSeconds: 2,
    stepSeconds: expect.closeTo(0.5, 9),
    batchBytes: 1001,
    batchesPerStep: 1,
    loadSeconds: 1,
    buildSeconds: 1,
    steps: 3,
  });
});

test("simulated from its own times, an iteration takes what it took", () => {
  const { seconds, measured } = realTimes(TRACE, 1);
  expect(simulate(1, measured).seconds).toBeCloseTo(seconds, 3);
});

test("a trace of something else is refused", () => {
  expect(() => realTimes(TRACE.slice(1), 1)).toThrow("not that of one iteration");
  expect(() =>
    realTimes(
      TRACE.filter(({ name }) => name !== "worker draws"),
      1,
    ),
  ).toThrow("not that of one iteration");
  expect(() => realTimes(TRACE, 3)).toThrow("with batches enough");
});
