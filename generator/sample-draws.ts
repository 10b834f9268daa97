import type { BatchInputs, BeforeRun, DrawJob, Draws, FrozenModel } from "./draws.js";
import { renoisedDraws } from "./renoised-draws.js";
import { trajectoryDraws } from "./trajectory-draws.js";

/**
 * The draws of a batch of samples: a function of job, inputs and model alone. Sample i's random numbers come from its index, whatever batch
 * or replica it is computed in; only rounding depends on the samples beside it.
 *
 * @param opponent who draws the synthetic side, where it is not the model itself: an earlier iteration's, with the same text encoders
 * @throws SpinError `precondition` for a model that predicts x_0, `invalid` for steps that the model's schedule does not have
 */
export function sampleDraws(
  model: FrozenModel,
  job: DrawJob,
  inputs: BatchInputs,
  beforeRun: BeforeRun = () => undefined,
  opponent: FrozenModel = model,
): Promise<Draws> {
  return job.form === "trajectory"
    ? trajectoryDraws(model, job, inputs, beforeRun, opponent)
    : renoisedDraws(model, job, inputs, beforeRun, opponent);
}
