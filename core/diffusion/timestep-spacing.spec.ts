import { SpinError } from "../errors.js";
import { fractionalTimesteps, roundHalfEven, samplingTimesteps } from "./timestep-spacing.js";

const CONFIG = { numTrainTimesteps: 1000, timestepSpacing: "leading", stepsOffset: 1 } as const;

test.each([
  ["leading", 4, [751, 501, 251, 1]],
  ["trailing", 4, [999, 749, 499, 249]],
  ["trailing", 3, [999, 666, 332]],
  ["linspace", 4, [999, 666, 333, 0]],
  ["linspace", 1, [0]],
] as const)("%s spacing puts %d steps where diffusers does", (timestepSpacing, numSteps, expected) => {
  expect(samplingTimesteps({ ...CONFIG, timestepSpacing }, numSteps)).toEqual(expected);
});

test("the fractional form leaves linspace between the training timesteps", () => {
  expect(fractionalTimesteps({ ...CONFIG, timestepSpacing: "linspace" }, 3)).toEqual([999, 499.5, 0]);
  expect(samplingTimesteps({ ...CONFIG, timestepSpacing: "linspace" }, 3)).toEqual([999, 500, 0]);
});

test("halves round to the even neighbour", () => {
  expect([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3]);
});

test("step counts and offsets that leave the schedule are refused", () => {
  for (const numSteps of [0, 1001, 2.5, Number.NaN]) {
    expect(() => samplingTimesteps(CONFIG, numSteps)).toThrow(SpinError);
  }
  expect(() => samplingTimesteps(CONFIG, 1000)).toThrow("timestep 1000 is outside [0, 1000)");
});
