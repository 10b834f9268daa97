import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import type { Training } from "../../core/nn/training.js";

/** Loads weights, moments and average of an interrupted run into `training` and `ema`; returns the steps done. */
export async function loadProgress(path: string, training: Training, ema: Float32Array): Promise<number> {
  if (!existsSync(path)) return 0;
  const file = await openSafetensors(path);
  training.weights.data.set(await file.readFloat32("weights"));
  training.optimizer.expAvg.set(await file.readFloat32("exp_avg"));
  training.optimizer.expAvgSq.set(await file.readFloat32("exp_avg_sq"));
  ema.set(await file.readFloat32("ema"));
  training.optimizer.steps = Number(file.metadata.get("step"));
  return training.optimizer.steps;
}

/** Writes everything {@link loadProgress} reads, to a temporary file first. */
export async function saveProgress(path: string, training: Training, ema: Float32Array, step: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const { expAvg, expAvgSq } = training.optimizer;
  const tensors = { weights: training.weights.data, exp_avg: expAvg, exp_avg_sq: expAvgSq, ema };
  const entries = Object.entries(tensors).map(([name, data]) => ({
    name,
    dtype: "F32" as const,
    shape: [data.length],
    data,
  }));
  await writeSafetensors(`${path}.part`, entries, { step: String(step) });
  await rename(`${path}.part`, path);
}
