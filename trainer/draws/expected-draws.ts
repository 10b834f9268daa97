import { alphasCumprod } from "../../core/diffusion/noise-schedule.js";
import type { MarginLoss } from "../../core/diffusion/objectives/margin-loss.js";
import { drawWeights, marginLossFor, type ObjectiveSettings } from "../../core/diffusion/objectives/objective.js";
import { samplingTimesteps } from "../../core/diffusion/timestep-spacing.js";
import { type TargetType, type TrajectoryStep, trajectorySteps } from "../../core/diffusion/trajectory.js";
import { SpinError } from "../../core/errors.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { SampleForm, type SamplingSpec, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import type { ModelFacts } from "../compute/learner.js";
import type { Expected } from "./check-draws.js";

/** What draws of a job must look like, and what each weighs. */
export interface DrawPlan extends Expected {
  /** The objective's weight of a draw by its timestep; undefined for SFT. */
  readonly weightOf: ((timestep: number) => number) | undefined;
  /** What the objective makes of a margin; undefined for SFT. */
  readonly lossOfMargin: MarginLoss | undefined;
}

/** @throws SpinError "invalid" where the model does not suit the job: its prediction type, its size, its schedule */
export function planDraws(spec: SamplingSpec, objective: ObjectiveSettings, facts: ModelFacts): DrawPlan {
  const { scheduler, tokens, width, added } = facts;
  const latent = latentShape(facts, spec.settings!.image!.resolution);
  const targetType = targetTypeOf(scheduler.predictionType);
  const isTrajectory = spec.form === SampleForm.SAMPLE_FORM_TRAJECTORY;
  const isComplete = spec.settings!.timestepChoice === TimestepChoice.TIMESTEP_CHOICE_ALL;
  const steps = isTrajectory ? stepsOf(spec, facts) : [];
  const latentSize = latent[0] * latent[1] * latent[2];
  const trajectory = () => ({ steps, targetType, latentSize });
  const weights = objective.kind === "sft" ? undefined : drawWeights(objective, trajectory);
  return {
    spec,
    specDigest: samplingSpecDigest(spec),
    latent,
    text: [tokens, width],
    added,
    numTrainTimesteps: scheduler.numTrainTimesteps,
    nextTimestep: isTrajectory ? new Map(steps.map((step) => [step.timestep, step.timestepPrev])) : undefined,
    everyTimestep: isComplete ? steps.map((step) => step.timestep) : undefined,
    weightOf: weights,
    lossOfMargin: marginLossFor(objective),
  };
}

function stepsOf(spec: SamplingSpec, { scheduler }: ModelFacts): TrajectoryStep[] {
  const { numSteps, eta } = spec.settings!.sampler!;
  return trajectorySteps(alphasCumprod(scheduler), samplingTimesteps(scheduler, numSteps), eta);
}

function targetTypeOf(predictionType: ModelFacts["scheduler"]["predictionType"]): TargetType {
  if (predictionType !== "sample") return predictionType;
  throw new SpinError("invalid", 'the model predicts the sample (prediction_type "sample")', {
    field: "prediction_type",
    remedy: "train a model that predicts noise or velocity",
  });
}

/**
 * Shape of the latents, [C, H, W].
 * @param resolution side of the pictures in pixels; 0: that of the model
 * @throws SpinError "invalid" where the model has no such size
 */
export function latentShape(
  facts: Pick<ModelFacts, "latentChannels" | "vaeFactor" | "sampleSize">,
  resolution: number,
): [number, number, number] {
  const { latentChannels, vaeFactor, sampleSize } = facts;
  const side = resolution === 0 ? sampleSize : resolution / vaeFactor;
  if (side !== undefined && Number.isInteger(side)) return [latentChannels, side, side];
  const expected = side === undefined ? "a size, which the model does not tell" : `a multiple of ${vaeFactor}`;
  throw new SpinError("invalid", `spec.sampling.image.resolution: expected ${expected}, got ${resolution}`, {
    field: "spec.sampling.image.resolution",
  });
}
