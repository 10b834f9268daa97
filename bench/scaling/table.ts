import { SCENARIOS } from "./scenarios.js";
import { type Measured, simulate } from "./simulate.js";

const GENERATORS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** A simulation's rows as Markdown. */
export function tableOf(measured: Measured): string {
  const rows = GENERATORS.map((generators) => {
    const { seconds, stepsPerSecond, waitShare, generatorUse, limit } = simulate(generators, measured);
    const cells = [
      generators,
      Math.round(seconds),
      stepsPerSecond.toPrecision(3),
      percent(waitShare),
      percent(generatorUse),
      limit,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| generators | s | steps/s | trainer waits | generators compute | limit |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/** All scenarios, as docs/scaling.md has them. */
export function allTables(): string {
  return SCENARIOS.map(({ name, source, measured }) => `### ${name}\n\n${source}.\n\n${tableOf(measured)}\n`).join(
    "\n",
  );
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
