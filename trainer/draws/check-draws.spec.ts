import {
  DRAW_ADDED,
  DRAW_LATENT,
  DRAW_SPEC,
  DRAW_TEXT,
  drawBatch,
  xlDrawBatch,
} from "../../bench/fuzz/draw-batches.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { encodeTensor } from "../../core/service/tensor-codec.js";
import { type DrawBatch, SampleForm } from "../../proto/gen/spin/v1/sampling.js";
import { checkDraws, type Expected } from "./check-draws.js";

const expectedOf = (spec = DRAW_SPEC): Expected => ({
  spec,
  specDigest: samplingSpecDigest(spec),
  latent: DRAW_LATENT,
  text: DRAW_TEXT,
  numTrainTimesteps: 1000,
});
const expected = expectedOf();
const COUNT = 6;

test("well-formed draws are read as they were sent", () => {
  const draws = checkDraws(drawBatch(6), 6, expected);
  expect(draws.perSample).toBe(2);
  expect(draws.timesteps).toHaveLength(COUNT);
  expect(draws.states).toHaveLength(3 * 15);
  for (const side of [draws.real, draws.synthetic!]) {
    expect([side.noisyLatents.length, side.target.length, side.referenceError!.length]).toEqual([192, 192, COUNT]);
  }
  expect(encodeTensor([COUNT, 2, 4, 4], draws.synthetic!.target)).toEqual(drawBatch(6).synthetic!.target);
});

test("supervised draws have one side and no errors", () => {
  const spec = { ...DRAW_SPEC, form: SampleForm.SAMPLE_FORM_REAL_ONLY };
  const draws = checkDraws(drawBatch(0, spec), 0, expectedOf(spec));
  expect(draws.synthetic).toBeUndefined();
  expect(draws.real.referenceError).toBeUndefined();
});

const poisoned = (length: number, at: number, value: number, shape: readonly number[]) =>
  encodeTensor(shape, new Float32Array(length).fill(value, at, at + 1));

test.each<[string, string, Partial<DrawBatch>, string]>([
  ["other weights", "precondition", { checkpointDigest: "sha256:0" }, "batch.checkpoint_digest: expected sha256:aaa"],
  ["another job", "precondition", { specDigest: "" }, "batch.spec_digest: expected"],
  ["another machine", "precondition", { computeFingerprint: "sha256:1" }, "batch.compute_fingerprint: expected"],
  ["another place", "precondition", { firstIndex: 3 }, "batch.first_index: expected 6, got 3"],
  ["fewer samples", "precondition", { numSamples: 2 }, "batch.num_samples: expected 3, got 2"],
  ["no timesteps", "invalid", { timesteps: undefined }, "batch.timesteps: expected a tensor"],
  [
    "a timestep outside",
    "invalid",
    { timesteps: encodeTensor([COUNT], new Int32Array(COUNT).fill(1000, 2, 3)) },
    "expected 0 to 999, got 1000 at 2",
  ],
  [
    "texts of another length",
    "invalid",
    { encoderHiddenStates: encodeTensor([3, 2, 5], new Float32Array(30)) },
    "batch.encoder_hidden_states.shape",
  ],
  [
    "a text that is not finite",
    "invalid",
    { encoderHiddenStates: poisoned(45, 44, Number.NEGATIVE_INFINITY, [3, 3, 5]) },
    "expected finite numbers, got -Infinity at 44",
  ],
  ["no synthetic side", "invalid", { synthetic: undefined }, "batch.synthetic.noisy_latents: expected a tensor"],
])("%s are refused as %s", (_, kind, change, message) => {
  const check = () => checkDraws({ ...drawBatch(6), ...change }, 6, expected);
  expect(check).toThrow(expect.objectContaining({ kind, message: expect.stringContaining(message) }));
});

test.each([
  ["target", Number.NaN, 191, [COUNT, ...DRAW_LATENT], "batch.real.target: expected finite numbers, got NaN at 191"],
  [
    "noisyLatents",
    Number.POSITIVE_INFINITY,
    0,
    [COUNT, ...DRAW_LATENT],
    "batch.real.noisy_latents: expected finite numbers, got Infinity at 0",
  ],
  ["referenceError", Number.NaN, 5, [COUNT], "batch.real.reference_error: expected finite numbers, got NaN at 5"],
  ["referenceError", -1, 1, [COUNT], "batch.real.reference_error: expected squared errors, got -1 at 1"],
])("a %s of %d is refused", (name, value, at, shape, message) => {
  const batch = drawBatch(6);
  const length = shape.reduce((product, extent) => product * extent, 1);
  const wrong = { ...batch, real: { ...batch.real!, [name]: poisoned(length, at, value, shape) } };
  expect(() => checkDraws(wrong, 6, expected)).toThrow(message);
});

test("no message at all is refused", () => {
  expect(() => checkDraws(undefined, 0, expected)).toThrow("batch: expected a message");
});

describe("on a trajectory", () => {
  const trajectory = {
    ...expected,
    nextTimestep: new Map([
      [901, 601],
      [601, 301],
      [301, -1],
    ]),
  };
  test("of which every step is drawn, another step or order is refused", () => {
    const all = { ...trajectory, everyTimestep: [901, 601] };
    const draws = (timesteps: number[]) =>
      at(
        timesteps,
        timesteps.map((t) => t - 300),
      );
    expect(() => checkDraws(draws([901, 601, 901, 601, 901, 601]), 0, all)).not.toThrow();
    expect(() => checkDraws(draws([901, 601, 601, 901, 901, 601]), 0, all)).toThrow("expected 901 at 2, got 601");
  });

  const at = (timesteps: number[], previous: number[]) => ({
    ...drawBatch(0),
    timesteps: encodeTensor([COUNT], Int32Array.from(timesteps)),
    previousTimesteps: encodeTensor([COUNT], Int32Array.from(previous)),
  });

  test("timesteps stand on its steps and name the one after", () => {
    const batch = at([901, 601, 301, 901, 601, 301], [601, 301, -1, 601, 301, -299]);
    expect(Array.from(checkDraws(batch, 0, trajectory).timesteps)).toEqual([901, 601, 301, 901, 601, 301]);
  });

  test("others are refused", () => {
    const one = [901, 601, 301, 901, 601];
    const next = [601, 301, -1, 601, 301];
    expect(() => checkDraws(at([...one, 300], [...next, -1]), 0, trajectory)).toThrow(
      "timesteps of the trajectory, got 300 at 5",
    );
    expect(() => checkDraws(at([...one, 301], [...next, 1]), 0, trajectory)).toThrow(
      "expected -1 after 301, got 1 at 5",
    );
    expect(() => checkDraws(drawBatch(0), 0, trajectory)).toThrow("batch.previous_timesteps: expected a tensor");
  });
});

describe("for an SDXL model", () => {
  const xl = { ...expected, added: DRAW_ADDED };

  test("pooled texts and sizes come with the states", () => {
    const { added } = checkDraws(xlDrawBatch(6), 6, xl);
    expect([added!.textEmbeds.length, added!.timeIds.length]).toEqual([3 * 4, 3 * 6]);
    expect(checkDraws(drawBatch(6), 6, expected).added).toBeUndefined();
  });

  test.each<[string, Partial<DrawBatch>, string]>([
    ["no pooled texts", { textEmbeds: undefined }, "batch.text_embeds: expected a tensor"],
    ["sizes of another width", { timeIds: encodeTensor([3, 5], new Float32Array(15)) }, "batch.time_ids.shape"],
    ["sizes that are no numbers", { timeIds: poisoned(18, 4, Number.NaN, [3, 6]) }, "got NaN at 4"],
  ])("%s are refused", (_, change, message) => {
    expect(() => checkDraws({ ...xlDrawBatch(6), ...change }, 6, xl)).toThrow(message);
  });
});
