import { readConfig } from "../core/service/config.js";
import { createLogger } from "../core/service/logging.js";
import { stopOnSignal } from "../core/service/shutdown.js";
import { startTelemetry } from "../core/service/telemetry.js";
import { TRAINER_SETTINGS } from "./config.js";
import { startTrainer } from "./start.js";

const telemetry = await startTelemetry("spin-trainer");
const log = createLogger("trainer");
try {
  const trainer = await startTrainer(readConfig(TRAINER_SETTINGS));
  stopOnSignal(async () => {
    await trainer.stop();
    await telemetry.shutdown();
  }, log);
} catch (error) {
  log.fatal({ err: error }, "the trainer could not start");
  process.exitCode = 1;
}
