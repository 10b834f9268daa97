import { JobState } from "../proto/gen/spin/v1/common.js";

interface Job {
  readonly state: JobState;
}

/** More failures in a row than this are not an interruption. */
const MAX_ATTEMPTS = 20;

/**
 * Starts a job, or joins the one that an earlier attempt of the demo started: request ids name the attempt, and the first
 * attempt that has not failed or been cancelled counts.
 * @param isResult of one that has failed: whether it counts all the same, as another attempt would fail alike
 */
export async function firstUsable<J extends Job>(
  name: string,
  start: (requestId: string) => Promise<J>,
  isResult: (job: J) => boolean = () => false,
): Promise<J> {
  for (let attempt = 1; ; attempt++) {
    const job = await start(`demo-${name}-${attempt}`);
    if (attempt === MAX_ATTEMPTS || !hasFailed(job) || isResult(job)) return job;
  }
}

export function hasEnded(job: Job): boolean {
  return job.state === JobState.JOB_STATE_SUCCEEDED || hasFailed(job);
}

function hasFailed({ state }: Job): boolean {
  return state === JobState.JOB_STATE_FAILED || state === JobState.JOB_STATE_CANCELLED;
}
