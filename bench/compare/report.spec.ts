import type { Case, Goals } from "./cases.js";
import type { Measurement } from "./measure.js";
import { formatReport, makeReport } from "./report.js";

const SETTING = { size: "base", model: "demo/base", rounds: 3, tokens: 16 };

const caseOf = (goals: Goals): Case => ({ id: "step", name: "SPIN step", bench: "step", flags: {}, goals });
const rounds = (runtime: string, ...all: [ms: number, mib: number][]): Measurement[] =>
  all.map(([ms, peak_rss_mb]) => ({
    ms,
    peak_rss_mb,
    all_ms: [ms],
    setup_ms: 0,
    settings: { threads: 2 },
    parameters: 2_200_000,
    latent: [4, 16, 16],
    runtime,
    processor: "a processor",
  }));
const HERE = rounds("onnxruntime", [100, 300], [90, 310], [500, 290]);
const TORCH = rounds("torch", [150, 600], [140, 610], [160, 590]);

test("a line has the medians of the rounds, PyTorch's time over ours and our memory over PyTorch's", () => {
  const [line] = makeReport(SETTING, [{ of: caseOf({}), here: HERE, torch: TORCH }]).lines;
  expect(line).toMatchObject({
    here: { ms: 100, peak_mib: 300, all_ms: [[100], [90], [500]] },
    torch: { ms: 150, peak_mib: 600 },
    time_ratio: 1.5,
    memory_ratio: 0.5,
    missed: [],
  });
});

test("goals that are reached stand beside the figures", () => {
  const found = [{ of: caseOf({ time: 1.5, memory: 0.5 }), here: HERE, torch: TORCH }];
  const text = formatReport(makeReport(SETTING, found));
  expect(text).toContain("| SPIN step | 100.0 | 150.0 | 1.50 | ≥ 1.5 | 300 | 600 | 0.50 | ≤ 0.5 |");
  expect(text).toContain("onnxruntime beside torch; a processor, 2 threads; UNet of 2200000 parameters");
  expect(text).toContain("No goal is missed.");
});

test("each goal that is missed is stated", () => {
  const found = [{ of: caseOf({ time: 1.6, memory: 0.4 }), here: HERE, torch: TORCH }];
  const report = makeReport(SETTING, found);
  expect(report.lines[0]!.missed).toEqual([
    "SPIN step: PyTorch takes 1.50 times as long, the goal is 1.6 or more.",
    "SPIN step: 0.50 times PyTorch's memory, the goal is 0.4 or less.",
  ]);
  expect(formatReport(report)).toContain(`Goals missed:\n- ${report.lines[0]!.missed[0]}`);
});

test("what PyTorch's libraries take by themselves is told where it is known", () => {
  const torch = TORCH.map((one) => ({ ...one, libraries_rss_mb: 412.3 }));
  const text = (of: Measurement[]) => formatReport(makeReport(SETTING, [{ of: caseOf({}), here: HERE, torch: of }]));
  expect(text(torch)).toContain(
    "medians of 3 rounds. PyTorch's libraries alone take 412 MiB, before a model is loaded.",
  );
  expect(text(TORCH)).not.toContain("libraries");
});

test("a case of which a side failed has no figures, and the reason stands below", () => {
  const found = [{ of: caseOf({ time: 1.1 }), here: HERE, torch: [], failure: "killed" }];
  const text = formatReport(makeReport(SETTING, found));
  expect(text).toContain("| SPIN step | not measured |");
  expect(text).toContain("Failed:\n- step: killed");
});
