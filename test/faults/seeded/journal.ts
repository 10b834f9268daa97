import { JobState } from "../../../proto/gen/spin/v1/common.js";
import type { Iteration, WatchIterationResponse } from "../../../proto/gen/spin/v1/trainer_service.js";
import type { SampleCount } from "./sample-collector.js";

/** What one client was told of each iteration, in the order in which it heard it. */
export type Heard = ReadonlyMap<string, readonly WatchIterationResponse[]>;

/** What came out of a run, as those saw it who only know to ask again. */
export interface Journal {
  /** By the clients' names. */
  readonly clients: ReadonlyMap<string, Heard>;
  /** Iterations that were started, in order, each with its number; several with the same one are attempts at the same thing. */
  readonly started: readonly { readonly iterationId: string; readonly number: number }[];
  /** What the trainer's processes told of samples, export by export. */
  readonly samples: readonly SampleCount[];
}

/** An iteration that nothing happened to. */
export interface Undisturbed {
  /** Digest of the weights that it led to. */
  readonly digest: string;
  /** Loss, gradient's norm and update's norm of each step. */
  readonly steps: readonly (readonly number[])[];
}

/** Reasons for which an attempt may fail and another one go on: the disk took nothing, nobody was there, what came was damaged. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "EXHAUSTED", "CORRUPT", "PRECONDITION"]);

/**
 * Holds what was heard against what a run must look like from outside, whatever happens to its services.
 * @returns what is not as it must be, in sentences; none where all is well
 */
export function violations({ clients, started, samples }: Journal, undisturbed: readonly Undisturbed[]): string[] {
  const found: string[] = [];
  for (const [client, heard] of clients) {
    for (const { iterationId, number } of started) {
      const events = heard.get(iterationId) ?? [];
      const wrong = violationsOfOne(events, undisturbed[number - 1]!);
      found.push(...wrong.map((problem) => `${client}, ${iterationId}: ${problem}`));
    }
    for (const number of undisturbed.keys()) {
      const attempts = started.filter((one) => one.number === number + 1);
      const ends = attempts.map(({ iterationId }) => endOf(heard.get(iterationId) ?? [])?.state);
      const successes = ends.filter((state) => state === JobState.JOB_STATE_SUCCEEDED).length;
      if (successes !== 1) found.push(`${client}: iteration ${number + 1} succeeded ${successes} times, expected once`);
      if (ends.at(-1) !== JobState.JOB_STATE_SUCCEEDED) {
        found.push(`${client}: the last attempt at iteration ${number + 1} did not succeed`);
      }
    }
  }
  found.push(...contradictions(clients, started));
  for (const count of samples) {
    const { generated, trained, refused, pending } = count;
    if (generated !== trained + refused + pending || pending < 0) {
      found.push(`samples do not add up: ${JSON.stringify(count)}`);
    }
  }
  return found;
}

/** One client, one iteration: a log from its beginning to its end, each line once, and the undisturbed run's numbers. */
function violationsOfOne(events: readonly WatchIterationResponse[], undisturbed: Undisturbed): string[] {
  const found: string[] = [];
  let steps = 0;
  for (const [i, { sequence, event }] of events.entries()) {
    if (sequence !== i + 1) found.push(`event ${i + 1} has the sequence number ${sequence}`);
    if (i === 0 && (event?.$case !== "stateChange" || event.value.state !== JobState.JOB_STATE_QUEUED)) {
      found.push("the first event does not tell that it waits");
    }
    if (i > 0 && endOf(events.slice(0, i)) !== undefined) found.push(`event ${i + 1} comes after the end`);
    if (event?.$case !== "step") continue;
    const { step, loss, gradNorm, updateNorm } = event.value;
    steps += 1;
    if (step !== steps) found.push(`step ${step} is told where step ${steps} should be`);
    const [told, expected] = [[loss, gradNorm, updateNorm], undisturbed.steps[step - 1] ?? []];
    if (String(told) !== String(expected)) found.push(`step ${step} has ${told}, undisturbed ${expected}`);
  }
  const end = endOf(events);
  if (end === undefined) found.push("its end was not told");
  if (end?.state === JobState.JOB_STATE_SUCCEEDED) {
    if (steps !== undisturbed.steps.length) found.push(`it succeeded after ${steps} steps`);
    if (end.checkpointDigest !== undisturbed.digest) found.push(`it led to ${end.checkpointDigest}`);
  } else if (end !== undefined && !PASSING.has(end.failure?.reason ?? "")) {
    found.push(`it ended as ${JobState[end.state]}: ${end.failure?.reason} ${end.failure?.message}`);
  }
  return found;
}

/** Two clients are told the same thing under the same number. */
function contradictions(clients: Journal["clients"], started: Journal["started"]): string[] {
  const [[name, first] = ["", new Map()], ...others] = [...clients];
  return others.flatMap(([other, heard]) =>
    started.flatMap(({ iterationId }) => {
      const [one, two] = [first.get(iterationId) ?? [], heard.get(iterationId) ?? []];
      const differing = one.findIndex((event: unknown, i: number) => i < two.length && text(event) !== text(two[i]));
      return differing < 0
        ? []
        : [`${name} and ${other} were told different things as event ${differing + 1} of ${iterationId}`];
    }),
  );
}

const text = (event: unknown) =>
  JSON.stringify(event, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));

/** The iteration as it ended, once that was told. */
export function endOf(events: readonly WatchIterationResponse[]): Iteration | undefined {
  const last = events.at(-1)?.event;
  if (last?.$case !== "stateChange") return undefined;
  const { state } = last.value;
  return state === JobState.JOB_STATE_QUEUED || state === JobState.JOB_STATE_RUNNING ? undefined : last.value;
}

/** What a run without faults came to, as one of its clients heard it. */
export function undisturbedOf(heard: Heard): Undisturbed[] {
  return [...heard.values()].map((events) => ({
    digest: endOf(events)?.checkpointDigest ?? "",
    steps: events.flatMap(({ event }) => {
      if (event?.$case !== "step") return [];
      const { loss, gradNorm, updateNorm } = event.value;
      return [[loss, gradNorm, updateNorm]];
    }),
  }));
}
