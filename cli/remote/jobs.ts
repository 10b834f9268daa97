import { SpinError } from "../../core/errors.js";
import { kindOf } from "../../core/service/error-table.js";
import { type Failure, JobState } from "../../proto/gen/spin/v1/common.js";

/** What iterations and evaluations have in common. */
interface Job {
  readonly state: JobState;
  readonly failure?: Failure;
}

const FINAL = [JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED];

/** Whether nothing more will happen to a job. */
export function isEnded({ state }: Job): boolean {
  return FINAL.includes(state);
}

/** @throws SpinError with the service's own words, unless the job has succeeded */
export function requireSuccess({ state, failure }: Job, name: string): void {
  if (state === JobState.JOB_STATE_SUCCEEDED) return;
  const remedy =
    "the same command tries again what may have been passing trouble; to begin anew, give it another --name";
  if (failure !== undefined) throw new SpinError(kindOf(failure.reason), `${name}: ${failure.message}`, { remedy });
  throw new SpinError("precondition", `${name} was cancelled`, { remedy });
}
