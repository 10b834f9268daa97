import type { LineageEntry as LineageMessage } from "../proto/gen/spin/v1/evaluation.js";
import { IterationSpec } from "../proto/gen/spin/v1/training.js";
import type { EvaluationRow } from "./evaluation-row.js";
import type { LineageEntry, Settings } from "./report/report.js";

/** The lineage as the report shows it: parents by name, settings for people to read. */
export function lineageOf(lineage: readonly LineageMessage[], rows: readonly EvaluationRow[]): LineageEntry[] {
  const nameOf = new Map([
    ...lineage.map(({ checkpointDigest, label }): [string, string] => [checkpointDigest, label]),
    ...rows.map(({ digest, name }): [string, string] => [digest, name]),
  ]);
  return lineage.map(({ label, checkpointDigest, baseDigest, totalSteps, dataset, seed, spec }) => {
    const parent = nameOf.get(baseDigest);
    return {
      name: nameOf.get(checkpointDigest) ?? label,
      digest: checkpointDigest,
      ...(parent !== undefined && { parent }),
      steps: totalSteps,
      ...(dataset !== undefined && { dataDigest: `${dataset.name} (${dataset.split}) ${dataset.digest}` }),
      ...(seed !== undefined && { seed: String(seed) }),
      settings: spec === undefined ? {} : settingsOf(spec),
    };
  });
}

/**
 * The baseline and the longest sequence of iterations of self-play from it, by name. Where there is no lineage, names as
 * `spin-1` tell it.
 */
export function selfPlayOf(
  baseline: string,
  names: readonly string[],
  lineage: readonly LineageMessage[],
): readonly string[] {
  const byLabel = new Map(lineage.map((entry) => [entry.label, entry]));
  const root = byLabel.get(baseline);
  if (root === undefined) {
    const numbered = names.flatMap((name) => {
      const [, number] = /^spin[-_ ]?(\d+)$/i.exec(name) ?? [];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    });
    return [baseline, ...numbered.sort((a, b) => a.number - b.number).map(({ name }) => name)];
  }
  const isEvaluated = new Set(names);
  const longest = (digest: string): string[] => {
    const next = lineage.filter(
      ({ baseDigest, spec, label }) =>
        baseDigest === digest && isEvaluated.has(label) && (spec?.objective?.$case.startsWith("spin") ?? false),
    );
    const chains = next.map(({ label, checkpointDigest }) => [label, ...longest(checkpointDigest)]);
    return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), []);
  };
  return [baseline, ...longest(root.checkpointDigest)];
}

/** Every setting that is not at its default, by the contract's names. */
function settingsOf({ displayName: _, ...spec }: IterationSpec): Settings {
  const settings: Record<string, string | number> = {};
  const add = (value: unknown, path: string): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value);
      if (entries.length === 0) settings[path] = "by default";
      for (const [name, inner] of entries) add(inner, path === "" ? name : `${path}.${name}`);
    } else settings[path] = typeof value === "number" ? value : String(value);
  };
  add(IterationSpec.toJSON({ displayName: "", ...spec }), "");
  return settings;
}
