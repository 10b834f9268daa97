import { alphasCumprod, betas, trainingSigmas } from "./noise-schedule.js";

const BASE = { numTrainTimesteps: 1000, betaStart: 0.00085, betaEnd: 0.012, betaSchedule: "scaled_linear" } as const;

describe("alphasCumprod", () => {
  test("begins and ends where Stable Diffusion's does", () => {
    const abar = alphasCumprod(BASE);
    expect(abar).toHaveLength(1000);
    expect(abar[0]).toBe(0.9991499781608582);
    expect(Math.abs(abar[999]! / 0.00466009508818388 - 1)).toBeLessThan(1e-6);
  });

  test("ends where DDPM's linear schedule does", () => {
    const abar = alphasCumprod({ ...BASE, betaSchedule: "linear", betaStart: 0.0001, betaEnd: 0.02 });
    expect(abar[999]).toBeCloseTo(4.0358e-5, 8);
  });

  test("follows the squared cosine, capped at its end", () => {
    const config = { ...BASE, betaSchedule: "squaredcos_cap_v2" } as const;
    const level = (u: number) => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2;
    const abar = alphasCumprod(config);
    for (const t of [0, 250, 500, 900]) expect(abar[t]).toBeCloseTo(level((t + 1) / 1000) / level(0), 6);
    expect(betas(config)[999]).toBe(Math.fround(0.999));
  });

  test("takes trained betas as they are", () => {
    const abar = alphasCumprod({ ...BASE, numTrainTimesteps: 3, trainedBetas: [0.1, 0.2, 0.5] });
    expect([...abar].map((a) => Number(a.toFixed(6)))).toEqual([0.9, 0.72, 0.36]);
  });

  test("rescaled to zero terminal SNR, keeps its start and ends at pure noise", () => {
    const plain = alphasCumprod(BASE);
    const rescaled = alphasCumprod({ ...BASE, rescaleBetasZeroSnr: true });
    expect(rescaled[0]).toBeCloseTo(plain[0]!, 6);
    expect(rescaled[999]).toBe(0);
    for (let t = 1; t < 1000; t++) expect(rescaled[t]).toBeLessThan(rescaled[t - 1]!);
  });

  test("refuses betas that are too few or no shares", () => {
    expect(() => alphasCumprod({ ...BASE, trainedBetas: [0.1] })).toThrow("1 values, expected 1000");
    expect(() => alphasCumprod({ ...BASE, numTrainTimesteps: 2, trainedBetas: [0.1, 1.5] })).toThrow(
      "timestep 1 is 1.5",
    );
    expect(() => alphasCumprod({ ...BASE, betaStart: -1 })).toThrow("in [0, 1]");
  });
});

test("training sigmas stay finite at pure noise", () => {
  const [low, high] = trainingSigmas(Float32Array.of(0.8, 0));
  expect(low).toBeCloseTo(0.5, 6);
  expect(high).toBeCloseTo(4096, 0);
});
