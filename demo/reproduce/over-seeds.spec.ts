import { MeasurementProtocol, PictureRow } from "../../proto/gen/spin/v1/evaluation.js";
import { figuresOf, pairOf, resamplesOf, scoresByLabel } from "./over-seeds.js";

const table = (scores: Readonly<Record<string, readonly number[]>>) => ({
  protocol: MeasurementProtocol.create(),
  rows: Object.entries(scores).flatMap(([label, values]) =>
    values.map((value, promptIndex) => PictureRow.fromPartial({ label, promptIndex, seed: 7n, scores: [value] })),
  ),
});

const TABLES = [table({ a: [1, 2, 3, 4], b: [0, 2, 4, 4] }), table({ a: [3, 2, 3, 4], b: [0, 0, 0, 0] })];

test("figures are means over prompts and training seeds, with the spread of the seeds beside them", async () => {
  const scores = scoresByLabel(TABLES);
  const a = scores.get("a")!;
  const figures = await figuresOf(a, await resamplesOf(a, 200));
  expect(figures).toMatchObject({ score: { value: 2.75 }, median: 3, seedMeans: [2.5, 3], seedDeviation: 0.25 });
  expect(figures.score.low).toBeLessThan(2.75);
});

test("pairs are compared within a training seed; a prompt counts once, whatever the number of seeds", async () => {
  const scores = scoresByLabel(TABLES);
  const [a, b] = [scores.get("a")!, scores.get("b")!];
  const pair = await pairOf(a, b, await resamplesOf(a, 200));
  expect(pair.seedWinRates).toEqual([(1 + 0.5 + 0 + 0.5) / 4, 1]);
  expect(pair.winRate.value).toBe(0.75);
  expect(pair.meanDifference.value).toBe((0 + 12) / 8);
});

test("tables of other pictures are refused", () => {
  expect(() => scoresByLabel([TABLES[0]!, table({ a: [1], b: [1] })])).toThrow("not of the same prompts and noise");
});
