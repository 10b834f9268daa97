import { choose, type Trial } from "./grid.js";
import { FULL, isSelfPlay, METHODS, QUICK, stepsOf } from "./settings.js";

const trial = (learningRate: number, scores: readonly number[]): Trial => ({
  method: "sft",
  settings: { learningRate },
  checkpoints: scores.map((score, i) => ({
    steps: 60 * (i + 1),
    digest: `${learningRate} ${i}`,
    score,
    median: score,
  })),
});

test("the setting and the steps with the highest score are chosen, of equal ones the first", () => {
  const chosen = choose([trial(1, [3, 5, 4]), trial(2, [5, 1, 2])]);
  expect(chosen).toEqual({ settings: { learningRate: 1 }, steps: 120, score: 5, digest: "1 1" });
});

test("a trial that diverged is not chosen; where all did, that is an error", () => {
  const diverged: Trial = { ...trial(1, []), diverged: "COLLAPSE" };
  expect(choose([diverged, trial(2, [1])]).settings.learningRate).toBe(2);
  expect(() => choose([diverged])).toThrow("every trial of sft diverged");
});

test("every method's search has the same budget of optimiser steps", () => {
  const total = (own: readonly (typeof METHODS)[number][]) =>
    own.reduce((sum, method) => sum + FULL.grid[method].length * stepsOf(method, FULL), 0);
  const spin = total(METHODS.filter(isSelfPlay));
  expect([total(["sft"]), total(["dpo"])]).toEqual([spin, spin]);
  expect(Object.keys(QUICK.grid)).toEqual(Object.keys(FULL.grid));
});
