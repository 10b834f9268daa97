import { BENCHMARKS, type BenchmarkName } from "../../cli/bench/settings.js";
import { SpinError } from "../../core/errors.js";
import type { ModelName } from "../model/configs.js";
import { allCases, type Case, type CaseSettings } from "./cases.js";

export const SIZES = ["base", "quarter", "sd15"] as const;
export type SizeName = (typeof SIZES)[number];

/** A size at which both sides are measured. */
export interface Size extends CaseSettings {
  /** The model that is made where its folder is not there yet; absent for the built-in one. */
  readonly made?: ModelName;
  /** Length of the text states. */
  readonly tokens: number;
  /** Measured repetitions in each run of a benchmark; its own number where absent. */
  readonly repeats?: Partial<Record<BenchmarkName, number>>;
  /** What a round takes on two cores, in minutes, about. */
  readonly minutes: number;
  /** Ids of what is compared where nobody says. */
  readonly cases: readonly string[];
}

const TRAINED_WHOLE = [
  "forward-1",
  "forward",
  "sample",
  "step",
  "step-given",
  "iteration-disk",
  "iteration-memory",
  "iteration-trajectory",
];

const ONCE = Object.fromEntries(BENCHMARKS.map((name) => [name, 1]));

/** The built-in model; SD-1.5's topology at a quarter of the width; SD-1.5 itself, with few steps, as each takes minutes on a small machine. */
export const SIZE: Record<SizeName, Size> = {
  base: { tokens: 16, batch: 8, samplingSteps: 20, steps: 5, minutes: 3, cases: TRAINED_WHOLE },
  quarter: {
    made: "sd15-quarter",
    tokens: 77,
    batch: 4,
    samplingSteps: 12,
    steps: 2,
    repeats: { sample: 1, step: 3 },
    minutes: 8,
    cases: TRAINED_WHOLE.filter((id) => id !== "iteration-trajectory"),
  },
  sd15: {
    made: "sd15",
    tokens: 77,
    batch: 1,
    samplingSteps: 2,
    steps: 1,
    repeats: ONCE,
    minutes: 11,
    cases: ["forward-1", "sample", "lora-step", "lora-step-given"],
  },
};

/** The size's cases, or those that `only` names. @throws SpinError "invalid" naming an id that there is not */
export function casesOf(size: Size, only: readonly string[] = size.cases): readonly Case[] {
  const all = allCases(size);
  const unknown = only.find((id) => !all.some((one) => one.id === id));
  if (unknown !== undefined) {
    const remedy = `name some of ${all.map(({ id }) => id).join(", ")}`;
    throw new SpinError("invalid", `there is no case "${unknown}"`, { field: "only", remedy });
  }
  return all.filter(({ id }) => only.includes(id));
}
