import { createDdim } from "./ddim.js";
import { createDpmSolver, type DpmSolverConfig } from "./dpm-solver.js";

const CONFIG: DpmSolverConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
  timestepSpacing: "linspace",
  stepsOffset: 1,
  predictionType: "epsilon",
};
const X = Float32Array.of(0.4, -1.2);
const OUTPUT = Float32Array.of(0.9, 0.1);

test("the first-order step is DDIM's", () => {
  const config = { ...CONFIG, timestepSpacing: "trailing" } as const;
  const dpm = createDpmSolver({ ...config, solverOrder: 1 }, 10).step(OUTPUT, 0, X);
  const ddim = createDdim({ ...config, setAlphaToOne: true, clipSample: false, clipSampleRange: 1 }, 10).step(
    OUTPUT,
    0,
    X,
  );
  for (const i of X.keys()) expect(dpm[i]).toBeCloseTo(ddim[i]!, 5);
});

test("lambdaMinClipped leaves out the noisiest timesteps", () => {
  expect(createDpmSolver({ ...CONFIG, lambdaMinClipped: -2 }, 10).timesteps[0]).toBeLessThan(900);
  expect(createDpmSolver(CONFIG, 10).timesteps[0]).toBe(999);
});

test("a long run that does not end at zero keeps its order to the end", () => {
  const walk = (settings: Partial<DpmSolverConfig>) => {
    const sampler = createDpmSolver({ ...CONFIG, finalSigmasType: "sigma_min", ...settings }, 20);
    let sample: Float32Array = X;
    for (const i of sampler.timesteps.keys()) sample = sampler.step(sample.map(Math.sin), i, sample);
    return [...sample];
  };
  expect(walk({})).toEqual(walk({ lowerOrderFinal: false }));
  expect(walk({})).not.toEqual(walk({ eulerAtFinal: true }));
});

test("steps out of order and unsupported forms are refused", () => {
  const sampler = createDpmSolver(CONFIG, 5);
  expect(() => sampler.step(OUTPUT, 1, X)).toThrow("step 1 taken where 0 was due");
  expect(() => createDpmSolver({ ...CONFIG, algorithmType: "sde-dpmsolver++" }, 5)).toThrow("algorithm_type");
  expect(() => createDpmSolver({ ...CONFIG, solverOrder: 3 }, 5)).toThrow("solver_order is 3");
  expect(() => createDpmSolver({ ...CONFIG, solverType: "bh2" }, 5)).toThrow("solver_type is bh2");
  expect(() => createDpmSolver({ ...CONFIG, useLuLambdas: true }, 5)).toThrow("use_lu_lambdas");
  expect(() => createDpmSolver(CONFIG, 1000)).toThrow("expected 1 to 999");
});
