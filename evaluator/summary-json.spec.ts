import type { EvaluationRow } from "./evaluation-row.js";
import { buildSummary, summaryJson } from "./summary-json.js";

const base: EvaluationRow = {
  name: "base",
  digest: "sha256:aa",
  steps: 0,
  score: { mean: 20.5, median: 20.4 },
  similarity: 0.171,
  winRate: { value: 0.5, low: 0.5, high: 0.5 },
  kid: { value: 0.378, low: 0.3, high: 0.45 },
  cmmd: { value: 0.095 },
};

test("has the documented shape and nothing else", () => {
  const row = { ...base, parent: "not of the summary" };
  expect(JSON.parse(summaryJson(buildSummary([row], "sha256:ff", 512.5)))).toEqual({
    checkpoints: [
      {
        name: "base",
        digest: "sha256:aa",
        steps: 0,
        score: { mean: 20.5, median: 20.4 },
        similarity: 0.171,
        winRate: { value: 0.5, low: 0.5, high: 0.5 },
        kid: 0.378,
        cmmd: 0.095,
      },
    ],
    fingerprint: "sha256:ff",
    seconds: 512.5,
  });
});

test("keeps the order of the checkpoints", () => {
  const names = ["base", "sft", "spin-1", "spin-2", "spin-1-long"];
  const rows = names.map((name) => ({ ...base, name }));
  expect(buildSummary(rows, "", 1).checkpoints.map(({ name }) => name)).toEqual(names);
});

test("refuses a figure that JSON would turn into null, naming it", () => {
  const broken = { ...base, winRate: { ...base.winRate, high: Number.NaN } };
  expect(() => buildSummary([broken], "", 1)).toThrow("base.winRate.high is NaN");
  expect(() => buildSummary([base], "", Number.POSITIVE_INFINITY)).toThrow("summary.seconds is Infinity");
});
