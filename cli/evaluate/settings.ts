import type { SamplerName } from "../../core/diffusion/pipeline-sampler.js";
import type { TimestepSpacing } from "../../core/diffusion/timestep-spacing.js";
import type { EvaluatedCheckpoint } from "../../proto/gen/spin/v1/evaluation.js";

/** What an evaluation does. */
export interface EvaluateSettings {
  readonly checkpoint: readonly EvaluatedCheckpoint[];
  /** Label that win rates are over; default: the first. */
  readonly baseline?: string;
  readonly prompts: string;
  readonly split: string;
  /** 0: all. */
  readonly maxPrompts: number;
  readonly seeds: readonly bigint[];
  /** Default: the scheduler that each model names. */
  readonly sampler?: SamplerName;
  /** The next three: default as each model's scheduler file says. */
  readonly spacing?: TimestepSpacing;
  readonly karras?: boolean;
  readonly zeroSnr?: boolean;
  readonly steps: number;
  readonly eta: number;
  readonly guidance: number;
  readonly batch: number;
  /** `name` or `name=path`, the path relative to the evaluator's MODEL_DIR. */
  readonly scorer: readonly string[];
  readonly bootstrap: number;
}
