import { join } from "node:path";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { readJsonFile } from "../../core/json-config.js";
import { formatSeconds } from "../progress.js";
import type { Recipe } from "../recipe/recipe-schema.js";
import { nameOf } from "../remote/references.js";

/** How good the estimate of a plan was. */
export interface PlanAccuracy {
  /** Seconds of all iterations, as planned. */
  readonly planned_seconds: number;
  /** As the trainer measured them. */
  readonly measured_seconds: number;
  /** Measured over planned. */
  readonly ratio: number;
  /** The same for people. */
  readonly sentence: string;
}

/** Keeps the estimate of a recipe, for a run to be compared with. */
export async function keepEstimate(recipe: Recipe, stateDir: string, seconds: number): Promise<void> {
  await saveFile(fileOf(recipe, stateDir), `${JSON.stringify({ seconds })}\n`);
}

/** Compares a run with the last plan of its recipe, with the same settings; undefined where there is none. */
export async function accuracyOf(
  recipe: Recipe,
  stateDir: string,
  measured: number,
): Promise<PlanAccuracy | undefined> {
  const kept = (await readJsonFile(fileOf(recipe, stateDir)).catch(() => undefined)) as
    | { seconds?: unknown }
    | undefined;
  if (typeof kept?.seconds !== "number" || kept.seconds <= 0) return undefined;
  const ratio = Number((measured / kept.seconds).toFixed(2));
  const sentence = `planned ${formatSeconds(kept.seconds)} of training, took ${formatSeconds(measured)}: ${ratio.toFixed(2)} times the plan`;
  return { planned_seconds: kept.seconds, measured_seconds: measured, ratio, sentence };
}

function fileOf(recipe: Recipe, stateDir: string): string {
  return join(stateDir, "plans", `${nameOf(recipe.name, recipe)}.json`);
}
