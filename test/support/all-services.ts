import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "../../core/service/config.js";
import { EVALUATOR_SETTINGS } from "../../evaluator/config.js";
import { startEvaluator } from "../../evaluator/start.js";
import { GENERATOR_SETTINGS } from "../../generator/config.js";
import { startGenerator } from "../../generator/start.js";
import { TRAINER_SETTINGS } from "../../trainer/config.js";
import { startTrainer } from "../../trainer/start.js";

/** Generator, trainer and evaluator on free ports of loopback, with all that they keep under one folder. */
export interface AllServices {
  readonly addresses: { readonly generator: string; readonly trainer: string; readonly evaluator: string };
  stop(): Promise<void>;
}

/** @param flags of all three, as `{ tokensFile }` */
export async function startAllServices(folder: string, flags: Readonly<Record<string, string>>): Promise<AllServices> {
  const modelDir = join(folder, "models");
  await mkdir(modelDir, { recursive: true });
  const shared = { port: "0", modelDir, threads: "1", logLevel: "silent", ...flags };
  const running: { address: string; stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const service of running.reverse()) await service.stop();
  };
  try {
    const generatorFlags = { ...shared, cacheDir: join(folder, "cache") };
    const generator = await startGenerator(readConfig(GENERATOR_SETTINGS, generatorFlags, {}));
    running.push(generator);
    const trainerFlags = { ...shared, runsDir: join(folder, "runs"), generatorAddresses: generator.address };
    const trainer = await startTrainer(readConfig(TRAINER_SETTINGS, trainerFlags, {}));
    running.push(trainer);
    const evaluatorFlags = {
      ...shared,
      evaluationsDir: join(folder, "evaluations"),
      generatorAddress: generator.address,
    };
    const evaluator = await startEvaluator(readConfig(EVALUATOR_SETTINGS, evaluatorFlags, {}));
    running.push(evaluator);
    return {
      addresses: { generator: generator.address, trainer: trainer.address, evaluator: evaluator.address },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
