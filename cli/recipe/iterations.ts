import { type IterationSettings, iterationSettings } from "../run/settings.js";
import type { Recipe } from "./recipe-schema.js";

const KEYS = Object.keys(iterationSettings.shape);

/** The settings of each iteration of a recipe, with those that differ there. */
export function iterationsOf(recipe: Recipe): IterationSettings[] {
  const common = Object.fromEntries(Object.entries(recipe).filter(([key]) => KEYS.includes(key)));
  const entries = typeof recipe.iterations === "number" ? Array(recipe.iterations).fill({}) : recipe.iterations;
  return entries.map((entry) => ({ ...common, ...withoutDefaults(entry) }) as IterationSettings);
}

/** An entry of the list says what differs, and only that. */
function withoutDefaults(entry: object): object {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}
