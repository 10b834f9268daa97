import type { EvaluationRow } from "../evaluation-row.js";
import { renderReport } from "./page.js";
import type { IterationCurve, Report, ScorerResult } from "./report.js";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const EVIL = `</td><script>alert("1")</script>&'`;

function row(name: string, steps: number, winRate: number): EvaluationRow {
  return {
    name,
    digest: `sha256:${name}`,
    steps,
    score: { mean: 20 + winRate, median: 20 },
    similarity: 0.2,
    winRate: { value: winRate, low: winRate - 0.05, high: winRate + 0.05 },
    kid: { value: 0.3, low: 0.2, high: 0.4 },
    cmmd: { value: 0.09 },
  };
}

function curve(name: string, opponent?: string): IterationCurve {
  const steps = Array.from({ length: 30 }, (_, i) => ({
    step: i + 1,
    loss: Math.LN2 - i / 100,
    margin: i / 10,
    implicitAccuracy: 0.5 + i / 100,
    realErrorChange: -i / 1000,
    syntheticErrorChange: i / 1000,
  }));
  return { name, steps, ...(opponent !== undefined && { opponent }) };
}

function result(mean: number, winRate?: number): ScorerResult {
  const rate = winRate === undefined ? undefined : { value: winRate, low: winRate - 0.05, high: winRate + 0.05 };
  return { mean, median: mean, ...(rate !== undefined && { winRate: rate }) };
}

const report: Report = {
  title: "Run one",
  baseline: "base",
  checkpoints: [row("base", 0, 0.5), row("sft", 100, 0.53), row("spin-1", 50, 0.78)],
  floor: { score: { mean: 23, median: 23 }, similarity: 0.25, kid: { value: -0.001 }, cmmd: { value: 0.008 } },
  scorers: [
    {
      name: "emoji-clip",
      digest: "sha256:scorer",
      pairAccuracy: 0.947,
      results: [result(20.5), result(20.53, 0.53), result(20.78, 0.78)],
    },
  ],
  selfPlay: ["base", "spin-1"],
  comparisons: [
    {
      a: "spin-1",
      b: "sft",
      winRate: { value: 0.57, low: 0.49, high: 0.65 },
      signTest: 0.08,
      meanDifference: { value: 0.4, low: 0.1, high: 0.7 },
      kidDifference: { value: -0.15, low: -0.25, high: -0.06 },
    },
  ],
  pictures: {
    columns: ["real winner", "base", "sft", "spin-1"],
    rows: [
      { prompt: "a red heart", pictures: [{ png: PNG, score: 23.1 }, { png: PNG }, { png: PNG }, null] },
      { prompt: EVIL, pictures: [{ png: PNG }, { png: PNG }, { png: PNG }, { png: PNG }] },
    ],
  },
  iterations: [curve("sft"), curve("spin-1", "base")],
  lineage: [
    { name: "base", digest: "sha256:base", steps: 0, settings: {} },
    { name: "sft", parent: "base", digest: "sha256:sft", steps: 100, settings: { objective: "SFT" } },
    { name: "spin-1", parent: "base", digest: "sha256:spin-1", steps: 50, seed: 7, settings: { β: 20000 } },
  ],
  protocol: { prompts: 170, sampler: "DDIM, 20 steps" },
  fingerprint: "onnxruntime-node 1.30.0, cpu",
  seconds: 485,
};

/** Names of the elements left open or closed out of order. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  for (const [, slash, name, rest] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (slash === "/") {
      if (open.pop() !== name) faults.push(name!);
    } else if (!["meta", "img", "br"].includes(name!) && !rest!.endsWith("/")) open.push(name!);
  }
  return [...faults, ...open];
}

const count = (page: string, text: string): number => page.split(text).length - 1;

test("every element is closed, in order", () => {
  expect(unbalanced("<p><b>x</p>")).not.toEqual([]);
  expect(unbalanced(renderReport(report))).toEqual([]);
});

test("the file needs nothing else: no scripts, no addresses, pictures inside", () => {
  const page = renderReport(report);
  expect(page).not.toMatch(/https?:|<script|<link|@import|url\(|\son[a-z]+=/);
  const sources = [...page.matchAll(/src="([^"]*)"/g)].map(([, source]) => source);
  expect(sources).toHaveLength(7);
  for (const source of sources) expect(source).toBe(`data:image/png;base64,${PNG}`);
});

test("text from outside cannot become markup, wherever it stands", () => {
  const names = { ...row(EVIL, 50, 0.6), digest: EVIL };
  const page = renderReport({
    ...report,
    title: EVIL,
    baseline: EVIL,
    checkpoints: [names, row("b", 1, 0.6)],
    scorers: [{ name: EVIL, digest: EVIL, results: [result(1), result(2, 0.6)] }],
    selfPlay: [EVIL, "b"],
    reference: EVIL,
    timeline: { seconds: 2, lanes: [{ name: EVIL, spans: [{ kind: EVIL, label: EVIL, start: 0, end: 2 }] }] },
    comparisons: [{ ...report.comparisons[0]!, a: EVIL, b: EVIL }],
    pictures: { ...report.pictures, columns: [EVIL, "base", "sft", "spin-1"] },
    iterations: [{ ...curve("x"), name: EVIL, opponent: EVIL }],
    lineage: [{ name: EVIL, digest: EVIL, steps: 0, dataDigest: EVIL, seed: EVIL, settings: { [EVIL]: EVIL } }],
    protocol: { [EVIL]: EVIL },
    fingerprint: EVIL,
  });
  expect(page).not.toContain("<script");
  expect(unbalanced(page)).toEqual([]);
});

test("a picture that is not base64 is refused, naming it", () => {
  const pictures = { columns: ["base"], rows: [{ prompt: "a cat", pictures: [{ png: `x" onload="y` }] }] };
  expect(() => renderReport({ ...report, pictures })).toThrow('the picture of base for "a cat" is not in base64');
});

test("a report that went through JSON gives the same bytes", () => {
  expect(renderReport(JSON.parse(JSON.stringify(report)))).toBe(renderReport(report));
});

test("a win rate stands out where its interval leaves out one half, and only there", () => {
  const page = renderReport(report);
  expect(page).toContain("<b>78.0\u202f%</b>");
  expect(page).not.toContain("<b>53.0\u202f%</b>");
  expect(page).toContain("not told apart");
  const clear = { ...report.comparisons[0]!, winRate: { value: 0.4, low: 0.3, high: 0.45 } };
  expect(renderReport({ ...report, comparisons: [clear] })).toContain("sft better");
});

test("the floor closes the table, and is left out where there is none", () => {
  expect(renderReport(report)).toMatch(/<tfoot>.*real winners/);
  expect(renderReport({ ...report, floor: undefined })).not.toMatch(/tfoot>|real winners/);
});

test("an iteration against an opponent has four charts, fine-tuning its loss alone", () => {
  const charts = (iterations: IterationCurve[]): number =>
    count(renderReport({ ...report, iterations }).split("<h2>Training")[1]!, '<figure class="chart">');
  expect(charts([curve("sft")])).toBe(1);
  expect(charts([curve("spin-1", "base")])).toBe(4);
});

test("a run that was planned tells how good the estimate was", () => {
  const estimate = { plannedSeconds: 300, measuredSeconds: 750 };
  expect(renderReport({ ...report, estimate })).toContain("Planned 5 min 00 s, took 12 min 30 s: 2.50 times the plan.");
  expect(renderReport(report)).not.toContain("times the plan");
});

test("the curve of win rates joins what was trained from what", () => {
  const chart = renderReport(report).match(/<figure class="chart wide">.*?<\/figure>/s)![0];
  expect(count(chart, '<line class="mean"')).toBe(2);
  expect(count(chart, "<circle")).toBe(3);
  expect(chart).toContain("<title>sft: 53.0\u202f% [48.0, 58.0]</title>");
  const unknown = renderReport({ ...report, lineage: [] });
  expect(count(unknown.split(" by steps</h3>")[1]!, "<circle")).toBe(3);
});

test("the lineage nests what was trained under what it came from", () => {
  const page = renderReport({
    ...report,
    lineage: [...report.lineage, { name: "spin-2", parent: "spin-1", digest: "d", steps: 100, settings: {} }],
  });
  const tree = page.match(/<ul class="tree">.*?<div class="entries">/s)![0];
  const outline = [...tree.matchAll(/<ul|<\/ul|<b>([^<]*)/g)].map(([tag, name]) => name ?? (tag === "<ul" ? "(" : ")"));
  expect(outline.join(" ")).toBe("( base ( sft spin-1 ( spin-2 ) ) )");
});

test("an evaluation without pictures, training or lineage is a shorter page", () => {
  const page = renderReport({
    ...report,
    pictures: { columns: [], rows: [] },
    iterations: [],
    lineage: [],
    comparisons: [],
  });
  for (const heading of ["Pictures", "Training", "Lineage", "Pair by pair"]) expect(page).not.toContain(`>${heading}<`);
  expect(unbalanced(page)).toEqual([]);
});

/** The report with a second scorer and the average of both. */
function twoScorers(): Report {
  const results = report.checkpoints.map((_, i) => ({ ...result(0.3 - i / 100, i === 0 ? undefined : 0.4) }));
  const average = report.checkpoints.map((_, i) => ({ ...result(10.4 + i, i === 0 ? undefined : 0.6) }));
  return { ...report, scorers: [...report.scorers, { name: "HPS v2.1", digest: "d", results }], average };
}

/** Rows of the n-th of the paper's tables, as text. */
function paperTable(page: string, number: number): string[] {
  const [table] = page.split(`<h3>Table ${number}:`)[1]!.split("</table>");
  return [...table!.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, cells]) =>
    cells!
      .replace(/<(b|u)>(.*?)<\/\1>/g, "$1($2)")
      .replace(/<[^>]*>|\s+/g, " ")
      .replace(/ +/g, " ")
      .trim(),
  );
}

test("the paper's tables mark the best and the second best of each column", () => {
  const page = renderReport({ ...twoScorers(), reference: "sft" });
  expect(paperTable(page, 1)).toEqual([
    "Checkpoint emoji-clip HPS v2.1 Average",
    "base 20.50 b(0.300) 10.40",
    "sft u(20.53) u(0.290) u(11.40)",
    "spin-1 b(20.78) 0.280 b(12.40)",
  ]);
  expect(paperTable(page, 3)).toHaveLength(3); // without the baseline's own row
  expect(page).toContain("Table 4: win rate over sft");
  expect(renderReport(report)).not.toContain("Table 4");
});

test("bars stand for every scorer and checkpoint but the one that win rates are over", () => {
  const figure = renderReport(twoScorers()).split("Figure 1")[1]!.split("</figure>")[0]!;
  expect(count(figure, '<rect class="fill"')).toBe(3 * 2);
});

test("figures by iteration follow self-play and show the others as levels", () => {
  const figure = renderReport(report).split("Figure 3")[1]!.split("</svg>")[0]!;
  expect(count(figure, "<circle")).toBe(2);
  expect(figure).toContain("<title>sft</title>");
  expect(renderReport({ ...report, selfPlay: ["base"] })).not.toContain("Figure 3");
});

test("the radar needs three figures that tell checkpoints apart", () => {
  expect(renderReport(report)).not.toContain("Figure 4"); // all but the score are the same for all
  const apart = report.checkpoints.map((one, i) => ({ ...one, similarity: i, kid: { value: -i }, cmmd: { value: i } }));
  const page = renderReport({ ...report, checkpoints: apart });
  expect(count(page.split("Figure 4")[1]!, '<polygon class="area"')).toBe(3);
});

test("what was not measured has no column: no zero stands for it", () => {
  const checkpoints = report.checkpoints.map(({ similarity: _, kid: __, cmmd: ___, ...rest }) => rest);
  const page = renderReport({ ...report, checkpoints, floor: undefined });
  for (const heading of ["Similarity", "KID&nbsp;", "CMMD&nbsp;"]) expect(page).not.toContain(heading);
  expect(unbalanced(page)).toEqual([]);
});

test("health curves are drawn where steps tell them", () => {
  const told = curve("spin-1", "base");
  const steps = told.steps.map((step) => ({ ...step, gradNorm: 1, updateNorm: 2, saturatedShare: 0.5 }));
  const page = renderReport({ ...report, iterations: [{ ...told, steps }] });
  for (const title of ["Gradient norm", "Update norm", "Saturated share"]) expect(page).toContain(title);
  expect(renderReport(report)).not.toContain("Saturated share");
});

test("the timeline has a lane a service, and labels where they fit", () => {
  const lanes = [
    { name: "stages", spans: [{ kind: "stage", label: "iteration 1", start: 0, end: 60 }] },
    { name: "trainer", spans: [{ kind: "waiting", label: "a name with no room", start: 1, end: 2 }] },
  ];
  const page = renderReport({ ...report, timeline: { seconds: 60, lanes } });
  const section = page.split("<h2>Timeline")[1]!.split("</section>")[0]!;
  expect(count(section, '<text class="lane"')).toBe(2);
  expect(section).toContain(">iteration 1</text>");
  expect(section).not.toContain(">a name with no room</text>");
});

test("a scorer with results for other checkpoints is refused", () => {
  const scorers = [...report.scorers, { name: "HPS v2.1", digest: "d", results: [] }];
  expect(() => renderReport({ ...report, scorers })).toThrow("HPS v2.1 has 0 results for 3 checkpoints");
});
