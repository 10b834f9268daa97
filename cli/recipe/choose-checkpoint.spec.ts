import type { EvaluationPlan } from "../evaluate/evaluate.js";
import { rankCheckpoints } from "./choose-checkpoint.js";
import type { Judging } from "./recipe-schema.js";

const JUDGING = { prompts: "emoji", scorers: ["scorer"], seed: 3 } as unknown as Judging;
const checkpoint = (step: number) => ({ label: `sft-1.${step}`, digest: `sha256:${step}`, steps: step });

/** An evaluator that scores by the label's step. */
function scoring(score: (step: number) => number) {
  const asked: string[][] = [];
  const evaluate = async ({ settings }: EvaluationPlan) => {
    const labels = settings.checkpoint.map(({ label }) => label);
    asked.push(labels);
    const rows = labels.map((name) => ({ name, score: { mean: score(Number(name.split(".")[1])) } }));
    return { checkpoints: rows } as never;
  };
  return { asked, evaluate };
}

test("every checkpoint is scored, in evaluations of at most 64, and the best comes first", async () => {
  const { asked, evaluate } = scoring((step) => -Math.abs(step - 70));
  const all = Array.from({ length: 130 }, (_, i) => checkpoint(i + 1));
  const ranked = await rankCheckpoints({ evaluator: "address", name: "name", patience: 1 }, all, JUDGING, evaluate);
  expect(asked.map((labels) => labels.length)).toEqual([64, 64, 2]);
  expect(ranked).toHaveLength(130);
  expect(ranked.slice(0, 3).map(({ steps }) => steps)).toEqual([70, 69, 71]);
});

test("of equals the one with fewer steps comes first", async () => {
  const { evaluate } = scoring(() => 1);
  const ranked = await rankCheckpoints(
    { evaluator: "a", name: "n", patience: 1 },
    [checkpoint(9), checkpoint(3)],
    JUDGING,
    evaluate,
  );
  expect(ranked.map(({ steps }) => steps)).toEqual([3, 9]);
});
