import { readConfig } from "../../core/service/config.js";
import { createLogger } from "../../core/service/logging.js";
import { stopOnSignal } from "../../core/service/shutdown.js";
import { startTelemetry } from "../../core/service/telemetry.js";
import { EVALUATOR_SETTINGS } from "../../evaluator/config.js";
import { startEvaluator } from "../../evaluator/start.js";
import { GENERATOR_SETTINGS } from "../../generator/config.js";
import { startGenerator } from "../../generator/start.js";
import { TRAINER_SETTINGS } from "../../trainer/config.js";
import { startTrainer } from "../../trainer/start.js";

type Flags = Readonly<Record<string, string | undefined>>;

export function serveGenerator(flags: Flags): Promise<void> {
  return serve("generator", () => startGenerator(readConfig(GENERATOR_SETTINGS, flags)));
}

export function serveTrainer(flags: Flags): Promise<void> {
  return serve("trainer", () => startTrainer(readConfig(TRAINER_SETTINGS, flags)));
}

export function serveEvaluator(flags: Flags): Promise<void> {
  return serve("evaluator", () => startEvaluator(readConfig(EVALUATOR_SETTINGS, flags)));
}

/** Starts a service; it runs on when this returns, until the process is told to stop. */
async function serve(name: string, start: () => Promise<{ stop(): Promise<void> }>): Promise<void> {
  const telemetry = await startTelemetry(`spin-${name}`);
  const service = await start();
  stopOnSignal(async () => {
    await service.stop();
    await telemetry.shutdown();
  }, createLogger(name));
}
