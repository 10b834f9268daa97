import { iterationSettings } from "../run/settings.js";
import { countIteration } from "./counts.js";

const SIZES = { latent: [4, 8, 8] as const, condition: 77 * 32 };
const settings = (change: object) => iterationSettings.parse({ steps: 5, batch: 8, samplingSteps: 10, ...change });

test("re-noised self-play samples with guidance twice a step, then evaluates θ_k on both sides of each draw", () => {
  const counts = countIteration(settings({ draws: 3, guidance: 2, gradientAccumulation: 4 }), SIZES);
  expect(counts).toMatchObject({ samples: 160, synthetic: 160, microBatch: 24, microBatches: 20, samplingRun: 16 });
  expect(counts.generatorEvaluations).toBe(160 * (2 * 10 + 2 * 3));
  expect(counts.trainerEvaluations).toBe(160 * 3 * 2);
});

test("fine-tuning and pairs sample nothing", () => {
  expect(countIteration(settings({ objective: "sft" }), SIZES)).toMatchObject({
    synthetic: 0,
    generatorEvaluations: 0,
    trainerEvaluations: 40,
    sides: 1,
  });
  expect(countIteration(settings({ objective: "dpo" }), SIZES)).toMatchObject({ generatorEvaluations: 80, sides: 2 });
});

test("what crosses the wire is x_t and target of each side of each draw, and a condition a sample", () => {
  const { wireBytes } = countIteration(settings({ objective: "dpo", draws: 2 }), SIZES);
  const floats = 40 * (2 * 2 * 2 * 4 * 8 * 8 + SIZES.condition);
  expect(wireBytes).toBeGreaterThanOrEqual(4 * floats);
  expect(wireBytes).toBeLessThan(4.1 * floats);
});
