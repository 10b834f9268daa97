import { readConfig } from "../core/service/config.js";
import { createLogger } from "../core/service/logging.js";
import { stopOnSignal } from "../core/service/shutdown.js";
import { startTelemetry } from "../core/service/telemetry.js";
import { EVALUATOR_SETTINGS } from "./config.js";
import { startEvaluator } from "./start.js";

const telemetry = await startTelemetry("spin-evaluator");
const log = createLogger("evaluator");
try {
  const evaluator = await startEvaluator(readConfig(EVALUATOR_SETTINGS));
  stopOnSignal(async () => {
    await evaluator.stop();
    await telemetry.shutdown();
  }, log);
} catch (error) {
  log.fatal({ err: error }, "the evaluator could not start");
  process.exitCode = 1;
}
