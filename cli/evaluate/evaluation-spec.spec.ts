import { checkRequest } from "../../core/service/validation.js";
import { startEvaluationRequest } from "../../evaluator/requests.js";
import { evaluatedCheckpoint, listOfScorers, seeds, toEvaluationSpec } from "./evaluation-spec.js";

const DIGEST = `sha256:${"0f".repeat(32)}`;

test("checkpoints are given by label and name or digest, with the steps behind them", () => {
  const first = evaluatedCheckpoint("base=models/base");
  expect(evaluatedCheckpoint(`spin-1=${DIGEST},60`, first)).toEqual([
    { label: "base", checkpoint: { digest: "", modelName: "models/base" }, totalSteps: 0 },
    { label: "spin-1", checkpoint: { digest: DIGEST, modelName: "" }, totalSteps: 60 },
  ]);
});

test.each(["base", "=base", "a b=base", "a=", "a=../base", "a=sha256:12", "a=base,many"])("%s is refused", (text) => {
  expect(() => evaluatedCheckpoint(text)).toThrow("Expected");
});

test("seeds are whole numbers between commas", () => {
  expect(seeds("0, 7,18446744073709551615")).toEqual([0n, 7n, 2n ** 64n - 1n]);
  expect(() => seeds("1,-2")).toThrow("from 0");
  expect(() => seeds("")).toThrow("whole number");
});

test("the settings make a spec that the evaluator accepts", () => {
  const spec = toEvaluationSpec({
    checkpoint: evaluatedCheckpoint("a=base"),
    prompts: "emoji/winners",
    split: "test",
    maxPrompts: 5,
    seeds: [3n],
    sampler: "pndm",
    steps: 20,
    eta: 0,
    guidance: 2,
    batch: 4,
    scorer: listOfScorers("scorer, hps=a/HPS_v2.1.pt,aesthetic=sac+logos=x.pth"),
    bootstrap: 500,
  });
  expect(checkRequest(startEvaluationRequest, { requestId: "r", spec }).spec).toMatchObject({
    baselineLabel: "a",
    prompts: { name: "emoji/winners", split: "test" },
    maxPrompts: 5,
    seeds: [3n],
    sampler: { kind: 2, numSteps: 20, guidanceScale: 2 },
    batchSize: 4,
    scorers: ["scorer", "hps", "aesthetic"],
    scorerPaths: { hps: "a/HPS_v2.1.pt", aesthetic: "sac+logos=x.pth" },
    bootstrapSamples: 500,
  });
});

test("a scorer without a name or path is refused", () => {
  for (const text of ["", "a,", "=a.pt", "hps=", "../a=b"]) expect(() => listOfScorers(text)).toThrow("Expected");
});
