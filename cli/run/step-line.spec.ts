import { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { stepLine } from "./step-line.js";

const step = StepMetrics.fromPartial({
  step: 7,
  loss: 0.68,
  margin: 0.031,
  implicitAccuracy: 0.625,
  syntheticError: 0.4,
  realErrorChange: -0.0012,
  syntheticErrorChange: 0.0034,
  gradNorm: 1.23456,
  learningRate: 1e-5,
});

test("a step of self-play tells loss, margin and how both errors moved", () => {
  expect(stepLine("spin-1", step, 60, 125)).toBe(
    "spin-1  7/60  loss 0.6800  margin +0.031  63 % right  errors -0.0012 real, +0.0034 synthetic  " +
      "gradient 1.23  rate 0.000010  2 min 05 s left",
  );
});

test("a step of supervised fine-tuning has one side", () => {
  const line = stepLine("sft-1", { ...step, syntheticError: 0 }, 60, undefined);
  expect(line).toBe("sft-1  7/60  loss 0.6800  gradient 1.23  rate 0.000010");
});
