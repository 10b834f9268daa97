import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import type { Objective } from "../../nn/training.js";
import { diffusionDpo } from "./dpo.js";
import { LOGISTIC, type MarginLoss } from "./margin-loss.js";
import type { PairLoss } from "./pair-errors.js";
import { sft } from "./sft.js";
import { type SpinSettings, spinApproximate, spinWeight, type Trajectory } from "./spin-approximate.js";
import { spinExact } from "./spin-exact.js";
import { renoisedWeight, spinRenoised } from "./spin-renoised.js";
import { squaredError } from "./squared-error.js";

/** What is minimised. */
export type ObjectiveSettings = PairSettings | { readonly kind: "sft" };

/** The objectives on pairs of a real and a synthetic side (of DPO: a winner and a loser). */
export type PairSettings =
  | ({ readonly kind: "spin" } & SpinSettings)
  | ({ readonly kind: "spin-exact" } & SpinExactSettings)
  | { readonly kind: "spin-renoised"; readonly beta: number }
  | { readonly kind: "dpo"; readonly beta: number; readonly loss?: MarginLoss };

/** The settings of equation 4.8, whose weights are not constant. */
export type SpinExactSettings = SpinSettings & { readonly beta: { readonly lambda: number } };

/** What of the settings the graph is made of: it serves every β. */
export type ObjectiveForm = { readonly kind: ObjectiveSettings["kind"]; readonly loss?: MarginLoss };

/** What is made of the margins; undefined for SFT, which has none. */
export function marginLossFor({ kind, loss }: ObjectiveForm): MarginLoss | undefined {
  return kind === "sft" ? undefined : (loss ?? LOGISTIC);
}

/** A model's prediction [B, C, H, W] at x_t [B, C, H, W], timesteps [B], text states [B, M, X] and what SDXL is conditioned on besides. */
export type Denoise = (xt: Value, timestep: Value, encoderHiddenStates: Value, added?: AddedInputs) => Value;

/** SDXL's further conditions: pooled text [B, P] and sizes [B, 6]. */
export interface AddedInputs {
  readonly textEmbeds: Value;
  readonly timeIds: Value;
}

/** Extents of one micro-batch. */
export interface ObjectiveShapes {
  /** Draws; a pair counts once. */
  readonly batch: number;
  /** [C, H, W] */
  readonly latent: readonly [number, number, number];
  /** Length of the text states. */
  readonly tokens: number;
  /** Their width. */
  readonly width: number;
  /** Widths of SDXL's further conditions, for models that have them. */
  readonly added?: { readonly textEmbeds: number; readonly timeIds: number };
}

/**
 * The graph of an objective, for `Training.create`. Inputs, of B draws:
 * - `real_xt`, `real_target` [B, C, H, W], `real_timestep` [B], `encoder_hidden_states` [B, M, X];
 * - but for SFT also `synthetic_xt`, `synthetic_target`, `synthetic_timestep`, the references' errors e_k `real_reference` and
 *   `synthetic_reference` [B], and `weight` [B], as {@link drawWeights} gives it;
 * - for whole trajectories (spin-exact) also `coefficient` [B], which `addTrajectories` finds;
 * - for SDXL `text_embeds` [B, P] and `time_ids` [B, 6]. Conditions are shared by both sides.
 *
 * Outputs beside the loss, [B] each: `real_error`, and but for SFT `synthetic_error` and `inside`. All errors are averages
 * over C, H, W.
 */
export function buildObjective(
  { kind, loss: variant }: ObjectiveForm,
  denoise: Denoise,
  { batch, latent, tokens, width, added }: ObjectiveShapes,
): Objective {
  const latents = (name: string) => ops.input(name, [batch, ...latent]);
  const perDraw = (name: string) => ops.input(name, [batch]);
  const states = ops.input("encoder_hidden_states", [batch, tokens, width]);
  const further = added && {
    textEmbeds: ops.input("text_embeds", [batch, added.textEmbeds]),
    timeIds: ops.input("time_ids", [batch, added.timeIds]),
  };
  const [xt, target, timestep] = [latents("real_xt"), latents("real_target"), perDraw("real_timestep")];
  if (kind === "sft") {
    const error = squaredError(target, denoise(xt, timestep, states, further));
    return { loss: sft(error), outputs: { real_error: error } };
  }

  // Both sides go through the model together: one pass over the weights.
  const both = (a: Value, b: Value) => ops.concat([a, b], 0);
  const prediction = denoise(
    both(xt, latents("synthetic_xt")),
    both(timestep, perDraw("synthetic_timestep")),
    both(states, states),
    further && {
      textEmbeds: both(further.textEmbeds, further.textEmbeds),
      timeIds: both(further.timeIds, further.timeIds),
    },
  );
  const [real, synthetic] = ops.split(squaredError(both(target, latents("synthetic_target")), prediction), 0, [
    batch,
    batch,
  ]);
  const errors = {
    real: real!,
    realReference: perDraw("real_reference"),
    synthetic: synthetic!,
    syntheticReference: perDraw("synthetic_reference"),
  };
  const pairLoss = (weight: Value): PairLoss => {
    switch (kind) {
      case "spin":
        return spinApproximate(errors, weight);
      case "spin-exact":
        return spinExact(errors, weight, perDraw("coefficient"));
      case "spin-renoised":
        return spinRenoised(errors, weight);
      case "dpo":
        return diffusionDpo(errors, weight, variant);
    }
  };
  const { loss, inside } = pairLoss(perDraw("weight"));
  return { loss, outputs: { inside, real_error: errors.real, synthetic_error: errors.synthetic } };
}

/**
 * The weight to feed with each draw, as a function of its timestep, in double precision.
 *
 * @param trajectory where draws come from; asked for by SPIN on trajectories alone
 */
export function drawWeights(settings: PairSettings, trajectory: () => Trajectory): (timestep: number) => number {
  if (settings.kind === "spin-renoised" || settings.kind === "dpo") return () => renoisedWeight(settings.beta);
  const from = trajectory();
  return (timestep) => spinWeight(settings, from, timestep);
}
