import type { EvaluationRow, FloorRow } from "./evaluation-row.js";
import { renderTable } from "./table.js";

const rows: EvaluationRow[] = [
  {
    name: "base",
    digest: "sha256:aa",
    steps: 0,
    score: { mean: 20.512, median: 20.4 },
    similarity: 0.1712,
    winRate: { value: 0.5, low: 0.5, high: 0.5 },
    kid: { value: 0.378, low: 0.31, high: 0.447 },
    cmmd: { value: 0.0951 },
  },
  {
    name: "spin-2",
    digest: "sha256:bb",
    steps: 100,
    score: { mean: 21.7, median: 21.66 },
    similarity: 0.201,
    winRate: { value: 0.831, low: 0.779, high: 0.88 },
    kid: { value: 0.0886, low: 0.07, high: 0.12 },
    cmmd: { value: 0.032 },
  },
];
const floor: FloorRow = {
  score: { mean: 23.2, median: 23 },
  similarity: 0.25,
  winRate: { value: 0.97, low: 0.94, high: 0.99 },
  kid: { value: -0.0012 },
  cmmd: { value: 0.008 },
};

test("prints a row a checkpoint and the floor last, figures aligned to the right", () => {
  expect(renderTable(rows, floor, "base")).toBe(
    [
      "checkpoint    steps  score  median  similarity  wins over base       KID                    CMMD",
      "────────────  ─────  ─────  ──────  ──────────  ───────────────────  ─────────────────────  ──────",
      "base              0  20.51   20.40       0.171       –                0.378 [0.310, 0.447]  0.0951",
      "spin-2          100  21.70   21.66       0.201  83.1\u202f% [77.9, 88.0]   0.089 [0.070, 0.120]  0.0320",
      "real winners      –  23.20   23.00       0.250  97.0\u202f% [94.0, 99.0]  −0.001                 0.0080",
    ].join("\n"),
  );
});

test("leaves the floor out where there are no real winners", () => {
  expect(renderTable(rows, undefined, "base").split("\n")).toHaveLength(4);
});

test("names the checkpoint that win rates are over", () => {
  const table = renderTable(rows, floor, "spin-2");
  expect(table).toContain("wins over spin-2");
  expect(table.split("\n")[2]).toMatch(/base .*50\.0/);
});
