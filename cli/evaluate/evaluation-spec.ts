import { InvalidArgumentError } from "commander";
import type { EvaluatedCheckpoint } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { seed } from "../options.js";
import { checkpoint, resourceName } from "../remote/references.js";
import { samplerKind, timestepSpacing } from "../sampler-options.js";
import type { EvaluateSettings } from "./settings.js";

/** The contract's form of an evaluation's settings; what does not go together, the evaluator tells. */
export function toEvaluationSpec(settings: EvaluateSettings): EvaluationSpec {
  const { sampler, spacing, karras, zeroSnr, steps, eta, guidance } = settings;
  return EvaluationSpec.fromPartial({
    checkpoints: [...settings.checkpoint],
    baselineLabel: settings.baseline,
    prompts: { name: settings.prompts, split: settings.split },
    maxPrompts: settings.maxPrompts,
    seeds: [...settings.seeds],
    sampler: {
      kind: samplerKind(sampler),
      timestepSpacing: timestepSpacing(spacing),
      karrasSigmas: karras,
      zeroSnr,
      numSteps: steps,
      eta,
      guidanceScale: guidance,
    },
    batchSize: settings.batch,
    scorers: settings.scorer.map((text) => splitScorer(text).name),
    scorerPaths: Object.fromEntries(
      settings.scorer.map(splitScorer).flatMap(({ name, path }) => (path === undefined ? [] : [[name, path]])),
    ),
    bootstrapSamples: settings.bootstrap,
  });
}

/** Reads `label=checkpoint` or `label=checkpoint,steps`, for commander's repeatable option. */
export function evaluatedCheckpoint(
  text: string,
  previous: readonly EvaluatedCheckpoint[] = [],
): readonly EvaluatedCheckpoint[] {
  const [, label, ref, steps = "0"] = /^([A-Za-z0-9._-]{1,64})=([^,]+)(?:,(\d{1,9}))?$/.exec(text) ?? [];
  if (label === undefined) throw new InvalidArgumentError("Expected label=checkpoint or label=checkpoint,steps.");
  return [...previous, { label, checkpoint: checkpoint(ref!), totalSteps: Number(steps) }];
}

/** Reads seeds between commas. */
export function seeds(text: string): bigint[] {
  return text.split(",").map((part) => {
    const value = seed(part.trim());
    if (value < 0n) throw new InvalidArgumentError("Expected seeds from 0.");
    return value;
  });
}

/** Reads scorers between commas, each `name` or `name=path`. */
export function listOfScorers(text: string): readonly string[] {
  const scorers = text.split(",").map((part) => part.trim());
  for (const { name, path } of scorers.map(splitScorer)) {
    resourceName(name);
    if (path === "") throw new InvalidArgumentError(`Expected a path behind "${name}=".`);
  }
  return scorers;
}

function splitScorer(text: string): { name: string; path?: string } {
  const at = text.indexOf("=");
  return at < 0 ? { name: text } : { name: text.slice(0, at), path: text.slice(at + 1) };
}
