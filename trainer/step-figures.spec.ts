import type { MicroBatchResult } from "./compute/learner.js";
import { isCollapsing } from "./divergence.js";
import type { References } from "./draws/micro-batches.js";
import { checkFirstStep } from "./first-step.js";
import { StepFigures } from "./step-figures.js";

const f32 = (...values: number[]) => Float32Array.from(values);

test("figures are means over all draws of the step", () => {
  const figures = new StepFigures();
  const references: References = { real: f32(1, 2), synthetic: f32(2, 2), weight: f32(1, 1) };
  figures.add({ loss: 0.5, realError: f32(1, 1), syntheticError: f32(2, 3), inside: f32(0, 4) }, references);
  figures.add({ loss: 1.5, realError: f32(3, 3), syntheticError: f32(1, 2), inside: f32(-3, -1) }, references);
  expect(figures.means()).toEqual({
    loss: 1,
    margin: 0,
    implicitAccuracy: 1.5 / 4,
    realError: 2,
    syntheticError: 2,
    realErrorChange: 0.5,
    syntheticErrorChange: 0,
    saturatedShare: 0,
  });
});

test("supervised steps have a loss and an error", () => {
  const figures = new StepFigures();
  figures.add({ loss: 0.5, realError: f32(0.25, 0.75) }, undefined);
  expect(figures.means()).toMatchObject({
    loss: 0.5,
    realError: 0.5,
    margin: 0,
    implicitAccuracy: 0,
    syntheticError: 0,
  });
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a loss of %d is refused", (loss) => {
  const add = () => new StepFigures().add({ loss, realError: f32(1) }, undefined);
  expect(add).toThrow(`the loss is ${loss}; lower the learning rate or the objective's weight`);
});

describe("the check of the first step", () => {
  const references = { real: f32(0.5, 0.9), synthetic: f32(0.4, 0), weight: f32(1000, 10_000) };
  const result = (change: Partial<MicroBatchResult> = {}) => ({
    loss: Math.LN2,
    realError: references.real.slice(),
    syntheticError: references.synthetic.slice(),
    ...change,
  });

  test("lets rounding pass, also where the generator's own error is 0", () => {
    expect(() => checkFirstStep(result(), references, "float32")).not.toThrow();
    const rounded = result({ loss: Math.LN2 + 1e-3, realError: f32(0.500002, 0.9), syntheticError: f32(0.4, 5e-12) });
    expect(() => checkFirstStep(rounded, references, "float32")).not.toThrow();
  });

  test.each<[string, Partial<MicroBatchResult>]>([
    ["the real error of draw 1", { realError: f32(0.5, 0.90002) }],
    ["the synthetic error of draw 0", { syntheticError: f32(0.39998, 0) }],
    ["the synthetic error of draw 1", { syntheticError: f32(0.4, 1e-7) }],
    ["the loss is 0.9", { loss: 0.9 }],
    ["the loss is NaN", { loss: Number.NaN }],
  ])("%s tells of stale weights", (finding, change) => {
    expect(() => checkFirstStep(result(change), references, "float32")).toThrow(
      expect.objectContaining({
        kind: "precondition",
        message: expect.stringContaining(`at the first step ${finding}`),
      }),
    );
  });

  test("is wider where the generator computes in half precision", () => {
    const half = result({ loss: Math.LN2 + 0.1, realError: f32(0.501, 0.901) });
    expect(() => checkFirstStep(half, references, "float32")).toThrow("stale");
    expect(() => checkFirstStep(half, references, "reduced")).not.toThrow();
  });
});

test("a collapse is a soaring margin while both errors rise; either alone is none", () => {
  const collapse = {
    loss: 0,
    margin: 20,
    implicitAccuracy: 1,
    realError: 0.7,
    realErrorChange: 0.2,
    syntheticError: 1,
    syntheticErrorChange: 0.3,
  };
  expect(isCollapsing(collapse)).toBe(true);
  expect(isCollapsing({ ...collapse, margin: 1 })).toBe(false);
  expect(isCollapsing({ ...collapse, realErrorChange: -0.1 })).toBe(false);
  expect(isCollapsing({ ...collapse, syntheticErrorChange: 0.01 })).toBe(false);
});
