import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { Progress } from "../../cli/progress.js";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { SpinError } from "../../core/errors.js";
import { CLIP_TOKENIZER } from "../model/make-model.js";
import { writeModel } from "../model/write-model.js";
import { runTool } from "../run-tool.js";
import { formatGrowth, growthOf } from "./growth.js";
import { loopIterations } from "./iterate.js";
import { TINY } from "./tiny-configs.js";

/** A vocabulary of some dozen words, which comes with the tests. */
const TOKENIZER = join(CLIP_TOKENIZER, "../../small-vocabulary/tokenizer");

interface Options {
  readonly iterations: number;
  readonly warmup: number;
  readonly samples?: string;
  readonly json?: boolean;
}

const program = new Command("leaks")
  .description(
    "Run iterations of the smallest model in a loop, in one trainer and one generator, and tell whether memory, handles, threads or processes grow. Linux.",
  )
  .option("--iterations <count>", "in all", wholeNumber(3, 1_000_000), 200)
  .option("--warmup <count>", "of them that do not count", wholeNumber(1, 1_000_000), 40)
  .option("--samples <file>", "where every look is kept, a line of JSON each")
  .option("--json", "print one line of JSON")
  .addHelpText(
    "after",
    "\nExamples:\n  node bench/leaks.mjs --iterations 200\n  node bench/leaks.mjs --iterations 1000 --warmup 100 --samples looks.jsonl",
  )
  .action(async ({ iterations, warmup, samples, json }: Options) => {
    if (warmup > iterations - 2) {
      throw new SpinError("invalid", `--warmup: expected at most ${iterations - 2}, got ${warmup}`, {
        field: "warmup",
      });
    }
    const folder = await mkdtemp(join(tmpdir(), "spin-leaks-"));
    const interrupted = new AbortController();
    process.once("SIGINT", () => interrupted.abort());
    const progress = new Progress("iteration");
    try {
      await writeModel(join(folder, "models/model"), TINY, { dtype: "F32", seed: 1n, tokenizer: TOKENIZER });
      const looks = await loopIterations({
        folder,
        modelDir: join(folder, "models"),
        iterations,
        signal: interrupted.signal,
        onLook: ({ iteration }) => progress.update(iteration, iterations),
      });
      progress.end();
      if (samples !== undefined) {
        await saveFile(samples, looks.map((look) => `${JSON.stringify(look)}\n`).join(""));
      }
      const counted = looks.slice(warmup);
      const services = new Map(
        (["trainer", "generator"] as const).map((service) => [service, growthOf(counted.map((look) => look[service]))]),
      );
      const seconds = looks.reduce((sum, look) => sum + look.seconds, 0) / looks.length;
      const head = `${looks.length} iterations of ${seconds.toFixed(2)} s, the first ${warmup} not counted`;
      process.stdout.write(
        json
          ? `${JSON.stringify({ iterations: looks.length, warmup, seconds, ...Object.fromEntries(services) })}\n`
          : `${head}\n\n${formatGrowth(services)}`,
      );
      if ([...services.values()].flat().some(({ grows }) => grows)) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
await runTool(program);
