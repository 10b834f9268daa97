import { seededRandom } from "../test/support/seeded-random.js";
import { drawResamples } from "./metrics/bootstrap.js";
import type { Features } from "./metrics/features.js";
import { type PictureScores, type Protocol, promptOfPictures } from "./picture-scores.js";
import { compareCheckpoints, distances, resultOf } from "./statistics.js";

const NUM_PROMPTS = 20;
const NUM_SEEDS = 2;
const protocol: Protocol = {
  scorers: [{ name: "s", digest: "sha256:0" }],
  promptSetDigest: "sha256:1",
  numPrompts: NUM_PROMPTS,
  seeds: ["7", "8"],
  sampler: "{}",
  batchSize: 8,
  computeFingerprint: "sha256:2",
  bootstrapSamples: 200,
  bootstrapSeed: "0",
};
const prompts = promptOfPictures(NUM_PROMPTS, NUM_SEEDS);
const resamples = await drawResamples(NUM_PROMPTS, 200, 0n);
const resampling = { resamples, prompts };

function measured(label: string, score: (i: number) => number, change: Partial<PictureScores> = {}): PictureScores {
  const scores = Float64Array.from({ length: NUM_PROMPTS * NUM_SEEDS }, (_, i) => score(i));
  const distance = { value: 1, replicates: resamples.map((_, r) => 1 + r / 1000) };
  return {
    label,
    checkpointDigest: `sha256:${label}`,
    protocol,
    prompts: Array.from({ length: NUM_PROMPTS }, (_, i) => `prompt ${i}`),
    scores: new Map([["s", scores]]),
    similarities: scores.map((value) => value / 100),
    kid: distance,
    cmmd: distance,
    ...change,
  };
}

test("pictures are numbered seed by seed, and within a seed prompt by prompt", () => {
  expect([...promptOfPictures(3, 2)]).toEqual([0, 1, 2, 0, 1, 2]);
});

test("a checkpoint's result has its figures, and its win rate over the baseline with ties half", async () => {
  const baseline = measured("base", () => 10);
  // Of each prompt's two pictures: won and lost on even prompts, won and tied on odd ones.
  const better = measured("b", (i) => (i < NUM_PROMPTS ? 12 : i % 2 === 0 ? 9 : 10));
  const result = await resultOf(better, baseline, resampling);
  expect(result).toMatchObject({ label: "b", checkpointDigest: "sha256:b", numImages: 40, similarity: 10.75 / 100 });
  expect(result.scores[0]).toMatchObject({ scorer: "s", mean: 10.75, median: 11 });
  expect(result.scores[0]!.winRate!.value).toBe(0.625);
  expect(result.scores[0]!.winRate!.low).toBeGreaterThan(0.5);
  expect((await resultOf(baseline, undefined, resampling)).scores[0]!.winRate).toBeUndefined();
});

test("a comparison is the other way round with its sides exchanged", async () => {
  const [a, b] = [measured("a", (i) => 10 + (i % 3)), measured("b", () => 10.5)];
  const there = await compareCheckpoints(a, b, resampling);
  const back = await compareCheckpoints(b, a, resampling);
  const [one, other] = [there.scores[0]!, back.scores[0]!];
  expect(one.winRate!.value + other.winRate!.value).toBeCloseTo(1, 12);
  expect(one.meanDifference!.value).toBeCloseTo(-other.meanDifference!.value, 12);
  expect(one.meanDifference!.low).toBeCloseTo(-other.meanDifference!.high!, 12);
  expect(one.numPairs).toBe(40);
  expect(one.signTestP).toBeCloseTo(other.signTestP, 12);
});

test("differences of distances are paired over resamples", async () => {
  const shifted = { value: 3, replicates: resamples.map((_, r) => 3 + r / 1000) };
  const comparison = await compareCheckpoints(
    measured("a", () => 1, { kid: shifted, cmmd: shifted }),
    measured("b", () => 1),
    resampling,
  );
  // Each varies by 0.2 over the resamples, their difference not at all.
  const { value, low, high } = comparison.kidDifference!;
  expect([value, low, high].map((x) => x!.toFixed(9))).toEqual(["2.000000000", "2.000000000", "2.000000000"]);
});

test.each<[string, Partial<Protocol>]>([
  ["scorers.s is sha256:0 and sha256:9", { scorers: [{ name: "s", digest: "sha256:9" }] }],
  ["promptSetDigest is sha256:1 and sha256:9", { promptSetDigest: "sha256:9" }],
  ["seeds is 7,8 and 7,9", { seeds: ["7", "9"] }],
  ["sampler.numSteps is not set and 2", { sampler: '{"numSteps":2}' }],
  ["computeFingerprint is sha256:2 and sha256:9", { computeFingerprint: "sha256:9" }],
])("checkpoints measured otherwise are not compared: %s", async (difference, change) => {
  const other = measured("b", () => 1, { protocol: { ...protocol, ...change } });
  const compared = compareCheckpoints(
    measured("a", () => 1),
    other,
    resampling,
  );
  await expect(compared).rejects.toMatchObject({
    kind: "precondition",
    message: expect.stringContaining(`measured differently: ${difference}`),
  });
});

test("every setting that differs is named, with both values", async () => {
  const change = { protocol: { ...protocol, numPrompts: 3, sampler: '{"guidanceScale":7.5,"numSteps":50}' } };
  const a = measured("a", () => 1, { protocol: { ...protocol, sampler: '{"guidanceScale":2,"numSteps":50}' } });
  await expect(
    compareCheckpoints(
      a,
      measured("b", () => 1, change),
      resampling,
    ),
  ).rejects.toThrow("sampler.guidanceScale is 2 and 7.5; numPrompts is 20 and 3");
});

test("distances that were not measured are left out, not zero", async () => {
  const without = { kid: undefined, cmmd: undefined, similarities: undefined };
  const [a, b] = [measured("a", () => 2, without), measured("b", () => 1, without)];
  expect(await compareCheckpoints(a, b, resampling)).toMatchObject({
    kidDifference: undefined,
    cmmdDifference: undefined,
  });
  expect(await resultOf(a, b, resampling)).toMatchObject({ kid: undefined, cmmd: undefined, similarity: undefined });
});

test("several scorers have an average of their figures, one alone has none", async () => {
  const two = (label: string, s: number, t: number) =>
    measured(label, () => s, {
      scores: new Map([
        ["s", new Float64Array(40).fill(s)],
        ["t", new Float64Array(40).fill(t)],
      ]),
      protocol: { ...protocol, scorers: [...protocol.scorers, { name: "t", digest: "sha256:3" }] },
    });
  const { average } = await resultOf(two("a", 3, 1), two("b", 2, 5), resampling);
  expect(average).toMatchObject({ scorer: "", mean: 2, median: 2, winRate: { value: 0.5 } });
  const one = await resultOf(
    measured("a", () => 1),
    measured("b", () => 1),
    resampling,
  );
  expect(one.average).toBeUndefined();
});

test("the set nearer to the winners has the smaller KID and CMMD", async () => {
  const random = seededRandom(3);
  const set = (shift: number): Features => ({
    data: Float64Array.from({ length: NUM_PROMPTS * 6 }, () => random() + shift),
    rows: NUM_PROMPTS,
    columns: 6,
  });
  const [winners, near, far] = [set(0), set(0.2), set(0.8)];
  const units = { x: promptOfPictures(NUM_PROMPTS, 1), y: promptOfPictures(NUM_PROMPTS, 1) };
  const [a, b] = [await distances(near, winners, units, resamples), await distances(far, winners, units, resamples)];
  expect(a.kid.value).toBeLessThan(b.kid.value);
  expect(a.cmmd.value).toBeLessThan(b.cmmd.value);
  expect(a.kid.replicates).toHaveLength(resamples.length);
});
