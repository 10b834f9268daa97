import { alphasCumprod } from "./noise-schedule.js";
import { createPndm, type PndmConfig } from "./pndm.js";

const CONFIG: PndmConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
  timestepSpacing: "leading",
  stepsOffset: 1,
  predictionType: "epsilon",
  setAlphaToOne: false,
  skipPrkSteps: true,
};

test("the second timestep is evaluated twice", () => {
  expect(createPndm(CONFIG, 4).timesteps).toEqual([751, 501, 501, 251, 1]);
  expect(createPndm(CONFIG, 1).timesteps).toEqual([1]);
});

test("step 0 starts afresh: the past of an earlier walk has no part in the next", () => {
  const sampler = createPndm(CONFIG, 5);
  const walk = (level: number) => {
    let sample = Float32Array.of(1, -1);
    for (const i of sampler.timesteps.keys())
      sample = Float32Array.from(
        sampler.step(
          sample.map((x) => level * x),
          i,
          sample,
        ),
      );
    return sample;
  };
  const first = walk(0.3);
  walk(0.9);
  expect(walk(0.3)).toEqual(first);
});

test("steps out of order and unsupported forms are refused", () => {
  const sampler = createPndm(CONFIG, 5);
  const x = Float32Array.of(1);
  sampler.step(x, 0, x);
  expect(() => sampler.step(x, 2, x)).toThrow("step 2 taken where 1 was due");
  expect(() => createPndm({ ...CONFIG, skipPrkSteps: false }, 3)).toThrow("takes 4 steps or more, not 3");
  expect(() => createPndm({ ...CONFIG, predictionType: "sample" }, 5)).toThrow("predicts epsilon or v");
});

test("three Runge–Kutta steps evaluate each middle twice, then one step follows another", () => {
  const { timesteps } = createPndm({ ...CONFIG, skipPrkSteps: false }, 5);
  expect(timesteps.slice(0, 12)).toEqual([801, 701, 701, 601, 601, 501, 501, 401, 401, 301, 301, 201]);
  expect(timesteps.slice(12)).toEqual([201, 1]);
});

test.each([true, false])("noise that is known is left behind in a straight walk (skipPrkSteps %p)", (skipPrkSteps) => {
  const sampler = createPndm({ ...CONFIG, skipPrkSteps, setAlphaToOne: true }, 10);
  const abar = alphasCumprod(CONFIG);
  const [image, noise] = [0.7, -1.3];
  const [first] = sampler.timesteps as [number];
  let sample = Float32Array.of(Math.sqrt(abar[first]!) * image + Math.sqrt(1 - abar[first]!) * noise);
  for (const i of sampler.timesteps.keys()) sample = Float32Array.from(sampler.step(Float32Array.of(noise), i, sample));
  expect(sample[0]).toBeCloseTo(image, 4);
});
