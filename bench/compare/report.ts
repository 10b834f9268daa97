import { median } from "../../cli/bench/benchmark.js";
import type { Case, Goals } from "./cases.js";
import type { Measurement } from "./measure.js";
import type { Found } from "./rounds.js";

interface SideSummary {
  /** Median of the rounds' medians. */
  readonly ms: number;
  /** Median of the rounds' peaks, in MiB, of the process tree. */
  readonly peak_mib: number;
  /** Each repetition of each round. */
  readonly all_ms: readonly (readonly number[])[];
  readonly all_peak_mib: readonly number[];
}

/** A line of the table. */
export interface Line {
  readonly id: string;
  readonly name: string;
  readonly here?: SideSummary;
  readonly torch?: SideSummary;
  /** PyTorch's time over ours: above 1, ours is the faster. */
  readonly time_ratio?: number;
  /** Our memory over PyTorch's: below 1, ours is the smaller. */
  readonly memory_ratio?: number;
  readonly goals: Goals;
  /** Goals that are not reached, as sentences. */
  readonly missed: readonly string[];
  readonly failure?: string;
}

/** What a comparison found, as `--json` writes it. */
export interface Report {
  readonly size: string;
  readonly model: string;
  readonly rounds: number;
  readonly here?: string;
  readonly torch?: string;
  /** What PyTorch's libraries alone take, in MiB, before a model is loaded. */
  readonly torch_libraries_mib?: number;
  readonly processor?: string;
  readonly threads?: number;
  /** Of the UNet. */
  readonly parameters?: number;
  readonly latent?: readonly number[];
  readonly tokens: number;
  readonly lines: readonly Line[];
}

export interface Setting extends Pick<Report, "size" | "model" | "rounds" | "tokens"> {}

/** Medians, ratios and goals of what was found. */
export function makeReport(setting: Setting, found: readonly Found[]): Report {
  const [here, torch] = [found.flatMap((one) => one.here)[0], found.flatMap((one) => one.torch)[0]];
  return {
    ...setting,
    here: here?.runtime,
    torch: torch?.runtime,
    torch_libraries_mib: torch?.libraries_rss_mb,
    processor: here?.processor,
    threads: here?.settings.threads,
    parameters: here?.parameters,
    latent: here?.latent,
    lines: found.map(lineOf),
  };
}

function lineOf({ of, here, torch, failure }: Found): Line {
  const { id, name, goals } = of;
  if (failure !== undefined || here.length === 0 || torch.length === 0) return { id, name, goals, missed: [], failure };
  const [ours, theirs] = [summary(here), summary(torch)];
  const [time, memory] = [theirs.ms / ours.ms, ours.peak_mib / theirs.peak_mib];
  const missed = missedGoals(of, time, memory);
  return { id, name, here: ours, torch: theirs, time_ratio: time, memory_ratio: memory, goals, missed };
}

function summary(measured: readonly Measurement[]): SideSummary {
  return {
    ms: median(measured.map(({ ms }) => ms)),
    peak_mib: median(measured.map(({ peak_rss_mb }) => peak_rss_mb)),
    all_ms: measured.map(({ all_ms }) => all_ms),
    all_peak_mib: measured.map(({ peak_rss_mb }) => peak_rss_mb),
  };
}

function missedGoals({ name, goals }: Case, time: number, memory: number): string[] {
  const missed: string[] = [];
  if (goals.time !== undefined && time < goals.time) {
    missed.push(`${name}: PyTorch takes ${time.toFixed(2)} times as long, the goal is ${goals.time} or more.`);
  }
  if (goals.memory !== undefined && memory > goals.memory) {
    missed.push(`${name}: ${memory.toFixed(2)} times PyTorch's memory, the goal is ${goals.memory} or less.`);
  }
  return missed;
}

const HEADING = ["", "here, ms", "PyTorch, ms", "PyTorch / here", "goal"];
const MEMORY_HEADING = ["here, MiB", "PyTorch, MiB", "here / PyTorch", "goal"];

/** The report as Markdown: the table, what it was measured with, and which goals were missed. */
export function formatReport(report: Report): string {
  const heading = [...HEADING, ...MEMORY_HEADING];
  const rows = [heading, heading.map(() => "---"), ...report.lines.map(cells)];
  const { here, torch, processor, threads, parameters, latent, tokens, rounds } = report;
  const note = `${here} beside ${torch}; ${processor}, ${threads} threads; UNet of ${parameters} parameters, latents ${latent?.join("×")}, ${tokens} tokens; medians of ${rounds} rounds.`;
  const libraries = report.torch_libraries_mib;
  const alone =
    libraries === undefined
      ? []
      : [`PyTorch's libraries alone take ${Math.round(libraries)} MiB, before a model is loaded.`];
  return [rows.map((row) => `| ${row.join(" | ")} |`).join("\n"), [note, ...alone].join(" "), verdict(report)].join(
    "\n\n",
  );
}

function cells({ name, here, torch, time_ratio: time, memory_ratio: memory, goals }: Line): string[] {
  if (here === undefined || torch === undefined || time === undefined || memory === undefined) {
    return [name, "not measured", ...Array<string>(7).fill("")];
  }
  const goal = (sign: string, value?: number) => (value === undefined ? "" : `${sign} ${value}`);
  const times = [here.ms.toFixed(1), torch.ms.toFixed(1), time.toFixed(2), goal("≥", goals.time)];
  const memories = [here.peak_mib, torch.peak_mib].map((one) => String(Math.round(one)));
  return [name, ...times, ...memories, memory.toFixed(2), goal("≤", goals.memory)];
}

function verdict({ lines }: Report): string {
  const missed = lines.flatMap((line) => line.missed);
  const failed = lines.filter(({ failure }) => failure !== undefined).map(({ id, failure }) => `${id}: ${failure}`);
  const goals = missed.length === 0 ? "No goal is missed." : `Goals missed:\n${list(missed)}`;
  return failed.length === 0 ? goals : `${goals}\n\nFailed:\n${list(failed)}`;
}

function list(entries: readonly string[]): string {
  return entries.map((entry) => `- ${entry}`).join("\n");
}
