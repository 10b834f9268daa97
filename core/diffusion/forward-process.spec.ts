import { addNoise, addNoiseAtSigma, velocity } from "./forward-process.js";

const CLEAN = Float32Array.of(1, 2, -1, 4);
const NOISE = Float32Array.of(5, -5, 10, 0);

test("noise is added at each sample's own level", () => {
  expect([...addNoise(CLEAN, NOISE, [1, 0])]).toEqual([1, 2, 10, 0]);
  const half = addNoise(CLEAN, NOISE, [0.64, 0.36]);
  expect([...half].map((x) => Number(x.toFixed(5)))).toEqual([3.8, -1.4, 7.4, 2.4]);
});

test("velocity is the noise at the image and the negative image at pure noise", () => {
  expect([...velocity(CLEAN, NOISE, [1, 0])]).toEqual([5, -5, 1, -4]);
});

test("noise at a sigma leaves the image's scale alone", () => {
  expect([...addNoiseAtSigma(CLEAN, NOISE, [2, 0.5])]).toEqual([11, -8, 4, 4]);
});

test("shapes that do not fit are an error", () => {
  expect(() => addNoise(CLEAN, NOISE.subarray(1), [1])).toThrow("3 of noise");
  expect(() => addNoise(CLEAN, NOISE, [1, 1, 1])).toThrow("3 levels");
});
