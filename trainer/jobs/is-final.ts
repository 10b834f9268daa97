import { JobState } from "../../proto/gen/spin/v1/common.js";
import type { Iteration } from "../../proto/gen/spin/v1/trainer_service.js";

/** Whether an iteration has ended. */
export function isFinal({ state }: Iteration): boolean {
  return state !== JobState.JOB_STATE_QUEUED && state !== JobState.JOB_STATE_RUNNING;
}
