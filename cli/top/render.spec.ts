import { JobState } from "../../proto/gen/spin/v1/common.js";
import { Iteration } from "../../proto/gen/spin/v1/trainer_service.js";
import { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import type { SystemState } from "./read-system.js";
import { renderTop, summarize } from "./render.js";

const step = (number: number, seconds: number) => ({
  metrics: StepMetrics.fromPartial({
    step: number,
    loss: 0.69,
    margin: 0.1,
    implicitAccuracy: 0.6,
    waitSeconds: 1,
    computeSeconds: 3,
  }),
  seconds,
});
const iteration = Iteration.fromPartial({
  iterationId: "run-1-iteration-2",
  state: JobState.JOB_STATE_RUNNING,
  stepsDone: 12,
  spec: { numSteps: 50, batchSize: 8 },
});
const state: SystemState = {
  iteration,
  steps: [step(10, 100), step(11, 104), step(12, 108)],
  replicas: [
    { address: "10.0.0.1:50051", device: "cuda", waiting: 1, active: 1 },
    { address: "10.0.0.2:50051", problem: "nothing answers" },
  ],
  pictures: ["runs/a.png"],
};

test("the pace gives examples per second and what is left, the steps what share is waiting", () => {
  expect(summarize(state).iteration).toMatchObject({
    step: 12,
    steps: 50,
    examples_per_second: 2,
    seconds_left: 38 * 4,
    wait_share: 0.25,
  });
});

test("the figures are shown with replicas and pictures", () => {
  expect(renderTop(summarize(state))).toBe(`run-1-iteration-2  running  step 12/50, 2 min 32 s left
  loss 0.6900  margin 0.100  accuracy 0.60
  2.00 examples/s  waiting for draws 25 %
generator 10.0.0.1:50051  computing, 1 waiting, cuda
generator 10.0.0.2:50051  nothing answers
picture runs/a.png
`);
});

test("nothing is made up where nothing is known", () => {
  expect(renderTop(summarize({ steps: [], replicas: [], pictures: [] }))).toBe("no iteration yet\n");
  const fresh = summarize({
    ...state,
    iteration: { ...iteration, stepsDone: 0 },
    steps: [],
    replicas: [],
    pictures: [],
  });
  expect(fresh.iteration).toMatchObject({ step: 0, examples_per_second: undefined, seconds_left: undefined });
  expect(renderTop(fresh)).toContain("loss –");
});
