import { JobState } from "../../../proto/gen/spin/v1/common.js";
import { Iteration, WatchIterationResponse } from "../../../proto/gen/spin/v1/trainer_service.js";
import { StepMetrics } from "../../../proto/gen/spin/v1/training.js";
import { type Journal, undisturbedOf, violations } from "./journal.js";

type Event = NonNullable<WatchIterationResponse["event"]>;

const state = (state: JobState, rest: Partial<Iteration> = {}): Event => ({
  $case: "stateChange",
  value: Iteration.fromPartial({ state, ...rest }),
});
const step = (step: number, loss = 0.1 * step): Event => ({
  $case: "step",
  value: StepMetrics.fromPartial({ step, loss, gradNorm: 1, updateNorm: 2 }),
});
const QUEUED = state(JobState.JOB_STATE_QUEUED);
const DONE = state(JobState.JOB_STATE_SUCCEEDED, { checkpointDigest: "sha256:a" });
const failed = (reason: string) => state(JobState.JOB_STATE_FAILED, { failure: { reason, message: "" } });
const log = (...events: Event[]) => events.map((event, i) => WatchIterationResponse.create({ sequence: i + 1, event }));

const WHOLE = log(QUEUED, step(1), step(2), DONE);
const UNDISTURBED = undisturbedOf(new Map([["i-1", WHOLE]]));
const COUNT = { generated: 9, trained: 6, refused: 2, pending: 1 };

function journal(
  change: Partial<Journal> & { readonly heard?: Record<string, WatchIterationResponse[]> } = {},
): Journal {
  const { heard = { "i-1": WHOLE }, ...rest } = change;
  const started = Object.keys(heard).map((iterationId) => ({ iterationId, number: 1 }));
  return { clients: new Map([["one", new Map(Object.entries(heard))]]), started, samples: [COUNT], ...rest };
}

test("a run as it should be has no violations, a failed attempt before it included", () => {
  expect(UNDISTURBED).toEqual([
    {
      digest: "sha256:a",
      steps: [
        [0.1, 1, 2],
        [0.2, 1, 2],
      ],
    },
  ]);
  expect(violations(journal(), UNDISTURBED)).toEqual([]);
  const attempts = { "i-1": log(QUEUED, step(1), failed("EXHAUSTED")), "i-2": WHOLE };
  expect(violations(journal({ heard: attempts }), UNDISTURBED)).toEqual([]);
});

const renumbered = (at: number, sequence: number) =>
  WHOLE.map((event, i) => (i === at ? { ...event, sequence } : event));

test.each<[string, WatchIterationResponse[], string]>([
  ["a step told twice", log(QUEUED, step(1), step(1), step(2), DONE), "step 1 is told where step 2 should be"],
  ["a step left out", log(QUEUED, step(2), DONE), "step 2 is told where step 1 should be"],
  ["another loss", log(QUEUED, step(1), step(2, 0.3), DONE), "step 2 has 0.3,1,2, undisturbed 0.2,1,2"],
  ["a gap in the numbers", renumbered(2, 4), "event 3 has the sequence number 4"],
  ["other weights", log(QUEUED, step(1), step(2), state(JobState.JOB_STATE_SUCCEEDED)), "it led to "],
  ["success too soon", log(QUEUED, step(1), DONE), "it succeeded after 1 steps"],
  ["something after the end", log(QUEUED, step(1), step(2), DONE, DONE), "event 5 comes after the end"],
  ["no beginning", log(step(1), step(2), DONE), "the first event does not tell that it waits"],
  ["no end", log(QUEUED, step(1), step(2)), "its end was not told"],
  ["a failure of its own", log(QUEUED, failed("INTERNAL")), "it ended as JOB_STATE_FAILED: INTERNAL"],
  ["a failure and no further attempt", log(QUEUED, failed("EXHAUSTED")), "did not succeed"],
])("%s is seen", (_, events, problem) => {
  const found = violations(journal({ heard: { "i-1": events } }), UNDISTURBED);
  expect(found.join("\n")).toContain(problem);
});

test("an iteration that succeeds twice is seen: it would be applied twice", () => {
  const found = violations(journal({ heard: { "i-1": WHOLE, "i-2": WHOLE } }), UNDISTURBED);
  expect(found).toEqual(["one: iteration 1 succeeded 2 times, expected once"]);
});

test("two clients that are told different things are seen", () => {
  const other = WHOLE.map((event, i) => (i === 1 ? { ...event, time: { seconds: 1n, nanos: 0 } } : event));
  const clients = new Map([
    ["one", new Map([["i-1", WHOLE]])],
    ["two", new Map([["i-1", other]])],
  ]);
  const found = violations(journal({ clients }), UNDISTURBED);
  expect(found).toEqual(["one and two were told different things as event 2 of i-1"]);
});

test.each([
  { ...COUNT, generated: 10 },
  { ...COUNT, pending: 0 },
  { ...COUNT, trained: 8, pending: -1 },
])("samples that do not add up are seen: %j", (count) => {
  expect(violations(journal({ samples: [COUNT, count] }), UNDISTURBED)).toEqual([
    `samples do not add up: ${JSON.stringify(count)}`,
  ]);
});
