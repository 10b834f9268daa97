import type { DivergenceFigures } from "./divergence.js";
import { DIVERGENCE_DEFAULTS, DivergenceWatch, divergenceLimits } from "./divergence.js";

const HEALTHY: DivergenceFigures = {
  margin: 0.5,
  realError: 0.19,
  realErrorChange: -0.01,
  syntheticError: 0.31,
  syntheticErrorChange: 0.01,
};
/** As a run at a hundred times the right learning rate looked. */
const COLLAPSED: DivergenceFigures = {
  margin: 8,
  realError: 0.41,
  realErrorChange: 0.14,
  syntheticError: 0.58,
  syntheticErrorChange: 0.28,
};
const FORGETFUL: DivergenceFigures = { ...HEALTHY, realError: 0.4, realErrorChange: 0.2 };

const watch = () => new DivergenceWatch({ ...DIVERGENCE_DEFAULTS, patience: 3 });

test("healthy steps go on, however many", () => {
  const divergence = watch();
  for (let step = 0; step < 20; step++) expect(() => divergence.note(HEALTHY)).not.toThrow();
});

test.each<[string, DivergenceFigures]>([
  ["COLLAPSE", COLLAPSED],
  ["REAL_ERROR", FORGETFUL],
])("%s ends an iteration once it has shown for as many steps as patience says", (name, figures) => {
  const divergence = watch();
  divergence.note(figures);
  divergence.note(figures);
  expect(() => divergence.note(figures)).toThrow(expect.objectContaining({ kind: "diverged" }));
  expect(() => divergence.note(figures)).toThrow(name);
});

test("the failure tells what was seen and what to do", () => {
  const divergence = new DivergenceWatch({ ...DIVERGENCE_DEFAULTS, patience: 1 });
  expect(() => divergence.note(COLLAPSED)).toThrow(
    "the iteration diverges (COLLAPSE): for 1 steps in a row the margin was above 3 (now 8.00) while both errors exceeded the " +
      "opponent's by more than 10.0 % (now real 51.9 %, synthetic 93.3 %); lower the learning rate",
  );
});

test("a healthy step between begins the count anew", () => {
  const divergence = watch();
  for (let round = 0; round < 5; round++) {
    divergence.note(COLLAPSED);
    divergence.note(COLLAPSED);
    divergence.note(HEALTHY);
  }
});

test("limits that are not set have their defaults", () => {
  expect(divergenceLimits({ patience: 0 })).toEqual(DIVERGENCE_DEFAULTS);
  expect(divergenceLimits({ patience: 9, margin: 1 })).toEqual({ ...DIVERGENCE_DEFAULTS, patience: 9, margin: 1 });
});
