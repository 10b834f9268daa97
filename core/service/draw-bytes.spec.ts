import { DRAW_LATENT, DRAW_SPEC, DRAW_TEXT, drawBatch } from "../../bench/fuzz/draw-batches.js";
import { DrawBatch, SampleForm } from "../../proto/gen/spin/v1/sampling.js";
import { drawBytes, mostSamples } from "./draw-bytes.js";
import { RESPONSE_LIMIT_BYTES } from "./limits.js";

const product = (shape: readonly number[]) => shape.reduce((all, extent) => all * extent, 1);

test.each([SampleForm.SAMPLE_FORM_RENOISED, SampleForm.SAMPLE_FORM_REAL_ONLY])(
  "a message of form %i takes what is said and no more than the overhead less",
  (form) => {
    const settings = { ...DRAW_SPEC.settings!, drawsPerSample: 50, batchSize: 4 };
    const bytes = DrawBatch.encode(drawBatch(0, { ...DRAW_SPEC, form, settings })).finish().length;
    const sizes = { form, drawsPerSample: 50, latentSize: product(DRAW_LATENT), conditionSize: product(DRAW_TEXT) };
    expect(bytes).toBeLessThanOrEqual(drawBytes(sizes, 4));
    expect(bytes).toBeGreaterThan(drawBytes(sizes, 4) - 2 ** 20);
  },
);

// SD-1.5 at 512²: latents of 4·64², text states of 77·768.
const SD15 = { form: SampleForm.SAMPLE_FORM_TRAJECTORY, latentSize: 16_384, conditionSize: 59_136 };
test.each([
  [20, 12],
  [50, 4],
  [1000, 0],
])("of whole trajectories of %i steps with SD-1.5's latents %i samples fit", (drawsPerSample, samples) => {
  const sizes = { ...SD15, drawsPerSample };
  expect(mostSamples(sizes)).toBe(samples);
  expect(drawBytes(sizes, samples)).toBeLessThanOrEqual(RESPONSE_LIMIT_BYTES);
  expect(drawBytes(sizes, samples + 1)).toBeGreaterThan(RESPONSE_LIMIT_BYTES);
});
