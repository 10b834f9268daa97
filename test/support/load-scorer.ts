import type { SessionOptions } from "../../core/graph/session.js";
import { openScorer } from "../../evaluator/scorers/open-scorer.js";
import type { Scorer } from "../../evaluator/scorers/scorer.js";

/** The scorer in a folder of a CLIPModel, in PickScore's form unless its name says otherwise. */
export async function loadScorer(path: string, options: SessionOptions = {}, name = "scorer"): Promise<Scorer> {
  return (await openScorer({ name, path, modelDir: path })).load(options);
}
