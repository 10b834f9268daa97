import { noiseForm, originalForm, type PredictionType, refusePureNoise } from "./prediction.js";

const TYPES: readonly PredictionType[] = ["epsilon", "sample", "v_prediction"];

test.each(TYPES)("from a prediction of %s, image and noise add up to the sample again", (type) => {
  const abar = 0.3;
  const [x, output] = [0.7, -1.1];
  const original = originalForm(type, abar);
  const noise = noiseForm(type, abar);
  const x0 = original.sample * x + original.output * output;
  const epsilon = noise.sample * x + noise.output * output;
  expect(Math.sqrt(abar) * x0 + Math.sqrt(1 - abar) * epsilon).toBeCloseTo(x, 12);
  const said = { epsilon, sample: x0, v_prediction: Math.sqrt(abar) * epsilon - Math.sqrt(1 - abar) * x0 };
  expect(said[type]).toBeCloseTo(output, 12);
});

test("only a model that predicts noise is of no use on pure noise", () => {
  const abar = Float32Array.of(0.9, 0);
  expect(() => refusePureNoise(abar, [1], "epsilon")).toThrow("timestep 1");
  expect(() => refusePureNoise(abar, [0], "epsilon")).not.toThrow();
  expect(() => refusePureNoise(abar, [1], "v_prediction")).not.toThrow();
});
