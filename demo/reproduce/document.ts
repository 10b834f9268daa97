import { formatSeconds } from "../../cli/progress.js";
import { formatNumber, formatPercent, formatShareInterval, formatSigned, shortDigest } from "../../evaluator/format.js";
import type { Grid, Trial } from "./grid.js";
import type { PairFigures } from "./over-seeds.js";
import type { Results } from "./results.js";
import { isSelfPlay, METHODS, type TrialSettings } from "./settings.js";

/** What a run of the reproduction took. */
export interface RunNotes {
  readonly seconds: number;
  readonly cpus: number;
  readonly cpu: string;
  /** Results of an earlier run, to tell whether this one gave the same. */
  readonly earlierDigest?: string;
}

/** docs/reproduction.md, written from results alone. */
export function reproductionDocument(results: Results, grid: Grid | undefined, notes: RunNotes): string {
  return `# The paper's claims, in small

This page is written by \`npm run reproduce\` from its results (\`docs/reproduction.json\`); nothing in it is typed by hand. The built-in base, a small
latent-diffusion model of emoji in two styles, is fine-tuned towards one of the styles by supervised fine-tuning (SFT), by Diffusion-DPO and by three
iterations of SPIN-Diffusion, at equal optimiser steps, with ${results.trainingSeeds.length} training seeds. All checkpoints draw the same
${results.prompts} held-out test prompts from the same noise, and the built-in scorer compares them. The report with pictures and curves of the first
seed is [reproduction-report.html](reproduction-report.html).

## What held

| claim | win rate | seeds | score difference | verdict |
| --- | --- | --- | --- | --- |
${results.claims.map(claimRow).join("\n")}

A claim **held** where the 95 % interval of the win rate lies above one half, is **reversed** where it lies below, and else the two are **not told
apart**. A win rate is the share of pictures that score above the other side's for the same prompt, noise and training seed, ties half; its interval
is a paired bootstrap over prompts, with the seeds of a prompt averaged. The column "seeds" has the win rate of each training seed by itself.
${results.diverged.length === 0 ? "No training diverged." : `Ended because they diverged: ${results.diverged.join("; ")}.`}

## All checkpoints

| checkpoint | steps | mean score | median | seeds | win rate over base |
| --- | --- | --- | --- | --- | --- |
${results.figures.map((figures) => figureRow(figures, results)).join("\n")}

\`sft-2x\` is SFT after the optimiser steps of two iterations, \`spin-1-2x\` the first iteration trained on for as many against the same opponent.
"Seeds": standard deviation of the mean score over training seeds. \`real\` are the held-out winners themselves.

## Going on training against going on to the next iteration (figure 5)

| steps since the base | iteration 1 trained on | next iterations | win rate of the latter |
| --- | --- | --- | --- |
${figureFive(results).join("\n")}

## Settings

${settingsText(results, grid)}

## How it was run

- Time: ${formatSeconds(notes.seconds)} on ${notes.cpus} cores (${notes.cpu}), with all that was not stored from before.
- Diffusion-DPO's pairs: the two pictures of each of ${results.pairs.count} training captions, labelled by a scorer trained apart from the evaluator's
  (another seed, half the width and depth, every other caption; \`${shortDigest(results.pairs.labeller)}\`). It prefers the style that the other methods
  are trained on in ${formatPercent(results.pairs.agreement)} of the pairs.
- Base \`${shortDigest(results.base)}\`, the evaluator's scorer \`${shortDigest(results.scorer)}\`, prompts \`${shortDigest(results.promptSet)}\`, compute fingerprint
  \`${shortDigest(results.computeFingerprint)}\`, training seeds ${results.trainingSeeds.join(", ")}, noise ${results.noiseSeeds.join(", ")}.
- Digest over the digests of all checkpoints: \`${results.digest}\`.${againText(results, notes)}
`;
}

function claimRow({ claim, a, b, winRate, meanDifference, seedWinRates, verdict }: Results["claims"][number]): string {
  const difference = `${formatSigned(meanDifference.value, 3)} [${formatSigned(meanDifference.low, 3)}, ${formatSigned(meanDifference.high, 3)}]`;
  return `| ${claim} (${a} over ${b}) | ${share(winRate)} | ${seedWinRates.map(formatPercent).join(", ")} | ${difference} | **${verdict}** |`;
}

function figureRow(
  { label, score, median, seedDeviation }: Results["figures"][number],
  { steps, overBase }: Results,
): string {
  const pair = overBase.find(({ a }) => a === label);
  const value = `${formatNumber(score.value, 3)} [${formatNumber(score.low, 3)}, ${formatNumber(score.high, 3)}]`;
  const spread = label === "base" || label === "real" ? "–" : `± ${formatNumber(seedDeviation, 3)}`;
  return `| ${label} | ${steps[label] ?? "–"} | ${value} | ${formatNumber(median, 3)} | ${spread} | ${pair === undefined ? "–" : share(pair.winRate)} |`;
}

function figureFive({ figures, claims, steps }: Results): string[] {
  const score = (label: string) => {
    const found = figures.find((one) => one.label === label);
    return found === undefined ? "–" : formatNumber(found.score.value, 3);
  };
  return [
    ["spin-1", "spin-1"],
    ["spin-1-2x", "spin-2"],
    ["spin-1-3x", "spin-3"],
  ].map(([long, next]) => {
    const pair = claims.find(({ a, b }) => a === next && b === long);
    return `| ${steps[next!] ?? "–"} | ${score(long!)} | ${score(next!)} | ${pair === undefined ? "–" : share(pair.winRate)} |`;
  });
}

function settingsText({ chosen }: Results, grid: Grid | undefined): string {
  const rows = METHODS.map((method) => {
    const best = isSelfPlay(method) ? "" : `, best after ${chosen.bestSteps[method as "sft" | "dpo"]} steps`;
    return `| ${method} | ${settingText(chosen.settings[method])}${best} |`;
  });
  const table = `| method | setting |\n| --- | --- |\n${rows.join("\n")}`;
  if (grid === undefined) {
    return `**Not searched**: these are the demo's settings, chosen by hand. \`npm run reproduce:grid\` searches.\n\n${table}`;
  }
  return `Chosen by \`npm run reproduce:grid\` (\`demo/reproduce/grid.json\`): the highest mean score on ${grid.prompts} validation prompts, with the same budget of
optimiser steps for every method (SFT ${grid.stepsPerMethod.sft}, DPO ${grid.stepsPerMethod.dpo}, the three iterations together ${grid.stepsPerMethod.spin}); SFT and DPO may
stop at any multiple of an iteration's steps. The base has ${formatNumber(grid.baseScore, 3)} there.

${table}

| tried | mean score on the validation prompts, by steps |
| --- | --- |
${grid.trials.map(trialRow).join("\n")}`;
}

function trialRow({ method, settings, checkpoints, diverged }: Trial): string {
  const scores = checkpoints.map(({ steps, score }) => `${formatNumber(score, 3)} (${steps})`).join(", ");
  return `| ${method}: ${settingText(settings)} | ${diverged === undefined ? scores : `diverged: ${diverged}`} |`;
}

function settingText({ learningRate, beta }: TrialSettings): string {
  return `learning rate ${learningRate}${beta === undefined ? "" : `, β ${beta}`}`;
}

function share(rate: PairFigures["winRate"]): string {
  return `${formatPercent(rate.value)} ${formatShareInterval(rate)}`;
}

function againText({ digest }: Results, { earlierDigest }: RunNotes): string {
  if (earlierDigest === undefined) return "";
  return earlierDigest === digest
    ? " An earlier run gave the same."
    : ` An earlier run gave \`${shortDigest(earlierDigest)}\`: another machine, or something has changed.`;
}
