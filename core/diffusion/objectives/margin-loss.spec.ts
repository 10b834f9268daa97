import * as ops from "../../graph/ops/index.js";
import { Training } from "../../nn/training.js";
import { isSaturated, LOGISTIC, type MarginLoss, marginLoss, marginLossOf, marginSlope } from "./margin-loss.js";

const LOSSES: readonly MarginLoss[] = [LOGISTIC, { kind: "hinge" }, { kind: "ipo", tau: 0.25 }];
const MARGINS = [-30, -3, -0.5, 0.25, 0.75, 1.5, 4];

test.each(LOSSES)("the graph of $kind gives the loss and the slope that are told of it", async (loss) => {
  const count = MARGINS.length;
  const training = await Training.create(
    (p) => ({ loss: ops.mean(marginLoss(loss, p.get("z", [count]))), outputs: {} }),
    () => Float32Array.from(MARGINS),
  );
  const [out] = await training.accumulate([{}]);
  const expected = MARGINS.reduce((sum, z) => sum + marginLossOf(loss, z), 0) / count;
  expect(out!.loss![0]! / expected).toBeCloseTo(1, 6);
  const slopes = Array.from(training.gradient("z"), (slope) => slope * count);
  MARGINS.forEach((z, i) => {
    expect(slopes[i]).toBeCloseTo(marginSlope(loss, z), 4);
  });
  await training.release();
});

test("at a margin of 0 the logistic is ln 2, the hinge 1, and IPO 1/4τ²", () => {
  expect(LOSSES.map((loss) => marginLossOf(loss, 0))).toEqual([Math.LN2, 1, 4]);
});

test("IPO is lowest where the margin is 1/2τ, whatever β made the margin of", () => {
  expect(marginLossOf({ kind: "ipo", tau: 0.1 }, 5)).toBe(0);
  expect(marginSlope({ kind: "ipo", tau: 0.1 }, 5)).toBe(0);
});

test("a loss is saturated where its slope is gone, and only there", () => {
  const at = (loss: MarginLoss) => [-5, 0, 1, 2, 6].map((z) => isSaturated(loss, z));
  expect(at(LOGISTIC)).toEqual([false, false, false, false, true]);
  expect(at({ kind: "hinge" })).toEqual([false, false, true, true, true]);
  expect(at({ kind: "ipo", tau: 0.25 })).toEqual([false, false, false, true, false]);
});

test("far out no exponential overflows", () => {
  expect(marginLossOf(LOGISTIC, -2000)).toBe(2000);
  expect(marginLossOf(LOGISTIC, 2000)).toBe(0);
});
