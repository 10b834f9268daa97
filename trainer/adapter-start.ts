import { canonicalJson } from "../core/canonical-json.js";
import type { Iteration } from "../proto/gen/spin/v1/trainer_service.js";
import { LoraSettings } from "../proto/gen/spin/v1/training.js";

/** Where an iteration's adapter begins. */
export interface AdapterStart {
  /** Folder of the weights that the adapter is on top of, and their digest. */
  readonly baseFolder: string;
  readonly baseDigest: string;
  /** The adapter is that of θ_k, and goes on; else it is a new one. */
  readonly isCarried: boolean;
}

/**
 * What the adapter of the next iteration is on top of: an adapter goes on, over the same weights, for as long as iterations ask for the
 * same settings, so that one file of one rank tells the whole way from those weights.
 *
 * @param settings of the next iteration, with defaults written out.
 * @param before the run's successful iterations, in order.
 * @param latest digest of θ_k.
 */
export function adapterBase(
  settings: LoraSettings,
  before: readonly Iteration[],
  latest: string,
): Pick<AdapterStart, "baseDigest" | "isCarried"> {
  const wanted = formOf(settings);
  const other = before.findLastIndex(({ spec }) => spec?.lora === undefined || formOf(spec.lora) !== wanted);
  const first = before[other + 1];
  return { baseDigest: first?.baseDigest ?? latest, isCarried: first !== undefined };
}

function formOf(settings: LoraSettings): string {
  return canonicalJson(LoraSettings.toJSON(settings));
}
