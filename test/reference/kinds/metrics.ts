import { meanIntervals } from "../../../evaluator/metrics/bootstrap.js";
import { cmmd, gaussianKernels } from "../../../evaluator/metrics/cmmd.js";
import type { Features } from "../../../evaluator/metrics/features.js";
import { fid } from "../../../evaluator/metrics/fid.js";
import { kid, kidOverSubsets, polynomialKernels } from "../../../evaluator/metrics/kid.js";
import { mean, median } from "../../../evaluator/metrics/summary.js";
import { winOutcomes, winRate } from "../../../evaluator/metrics/win-rate.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  return { values: reference.inputs.includes("in.resamples") ? await scores(reference) : await distances(reference) };
}

async function distances(reference: ReferenceCase): Promise<Record<string, number>> {
  const { sigma, cmmd_scale } = reference.parameters as { sigma: number; cmmd_scale: number };
  const a = await features(reference, "in.a");
  const b = await features(reference, "in.b");
  const kernels = await polynomialKernels(a, b);
  const subsetsOfB = await indexRows(reference, "in.subsets_b");
  const subsets = (await indexRows(reference, "in.subsets_a")).map((x, i) => ({ x, y: subsetsOfB[i]! }));
  const overSubsets = kidOverSubsets(kernels, subsets);
  return {
    fid: await fid(a, b),
    kid: kid(kernels),
    kid_subset_mean: overSubsets.mean,
    kid_subset_std: overSubsets.standardDeviation,
    cmmd: cmmd(await gaussianKernels(a, b, sigma), cmmd_scale),
  };
}

async function scores(reference: ReferenceCase): Promise<Record<string, unknown>> {
  const a = await reference.floats("in.a");
  const b = await reference.floats("in.b");
  const resamples = await indexRows(reference, "in.resamples");
  const differences = Float64Array.from(a, (score, i) => score - b[i]!);
  const [difference, wins] = await meanIntervals([differences, winOutcomes(a, b)], resamples);
  return {
    win_rate: winRate(a, b),
    mean_a: mean(a),
    mean_b: mean(b),
    median_a: median(a),
    median_b: median(b),
    mean_difference: mean(differences),
    difference_interval: [difference!.low, difference!.high],
    win_rate_interval: [wins!.low, wins!.high],
  };
}

async function features(reference: ReferenceCase, name: string): Promise<Features> {
  const [rows, columns] = (await reference.tensor(name)).shape;
  return { data: await reference.floats(name), rows: rows!, columns: columns! };
}

/** The rows of an integer table [rows, columns]. */
async function indexRows(reference: ReferenceCase, name: string): Promise<Int32Array[]> {
  const { data, shape } = await reference.tensor(name);
  const indices = Int32Array.from(data, Number);
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, row) => indices.subarray(row * width, (row + 1) * width));
}
