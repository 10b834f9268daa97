import type { Command } from "commander";
import type { RunCommandOptions } from "./run-options.js";

/** Flags that are for the command, not for what is trained. */
const NOT_SETTINGS: readonly string[] = [
  ...["trainer", "evaluator", "scorer", "maxPrompts", "report", "name", "json", "iterations"],
  ...["set", "local", "modelDir", "dataDir", "stateDir", "threads", "patience"],
];

/** Runs a recipe; flags that are given beside it go before what it says. */
export async function recipeAction(file: string, options: RunCommandOptions, command: Command): Promise<void> {
  const { parseOverride, readRecipe } = await import("../recipe/read-recipe.js");
  const { runRecipe } = await import("../recipe/run-recipe.js");
  const { withLocalServices } = await import("../local/with-local-services.js");
  const { local, modelDir, dataDir, stateDir, threads, report, json, patience, set = [] } = options;
  const given = Object.entries(options as unknown as Record<string, unknown>).filter(([name]) => {
    return !NOT_SETTINGS.includes(name) && command.getOptionValueSource(name) === "cli";
  });
  const flags = given.map(([name, value]) => ({ path: [name], value: plain(name, value) }));
  const recipe = await readRecipe(file, [...flags, ...set.map(parseOverride)]);
  const output = json ? process.stderr : process.stdout;
  const outcome = await withLocalServices(
    local ? { stateDir, modelDir, dataDir, threads } : undefined,
    (services, signal) =>
      runRecipe({
        recipe,
        trainer: services?.trainer ?? options.trainer,
        evaluator: services?.evaluator ?? options.evaluator ?? "127.0.0.1:50053",
        stateDir,
        report,
        onLine: (line) => output.write(`${line}\n`),
        signal,
        patience,
      }),
  );
  if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

/** As a recipe has it: the base by its name or digest, the seed as a number. */
function plain(name: string, value: unknown): unknown {
  if (name === "seed") return Number(value);
  if (name !== "base") return value;
  const { digest, modelName } = value as { readonly digest: string; readonly modelName: string };
  return digest || modelName;
}
