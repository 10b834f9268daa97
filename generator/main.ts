import { readConfig } from "../core/service/config.js";
import { createLogger } from "../core/service/logging.js";
import { stopOnSignal } from "../core/service/shutdown.js";
import { startTelemetry } from "../core/service/telemetry.js";
import { GENERATOR_SETTINGS } from "./config.js";
import { startGenerator } from "./start.js";

const telemetry = await startTelemetry("spin-generator");
const log = createLogger("generator");
try {
  const generator = await startGenerator(readConfig(GENERATOR_SETTINGS));
  stopOnSignal(async () => {
    await generator.stop();
    await telemetry.shutdown();
  }, log);
} catch (error) {
  log.fatal({ err: error }, "the generator could not start");
  process.exitCode = 1;
}
