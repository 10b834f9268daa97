import { z } from "zod";
import { address, type Config, port, setting, text, wholeNumber } from "../core/service/config.js";
import { DISK_SETTINGS } from "../core/service/disk-room.js";
import { CALLER_SETTINGS, DOOR_SETTINGS } from "../core/service/doors/settings.js";
import { LOG_LEVELS } from "../core/service/logging.js";

/** What a person sets of an evaluator: by environment variable, or by a flag of the command line. */
export const EVALUATOR_SETTINGS = {
  /** Address to listen on. */
  host: setting("HOST", text.prefault("127.0.0.1")),
  /** 0: any free port. */
  port: setting("PORT", port.prefault("50053")),
  ...DOOR_SETTINGS,
  ...CALLER_SETTINGS,
  ...DISK_SETTINGS,
  /** Where pictures are rendered; a generator of its own does not evict the trainer's θ_k in mid-iteration. */
  generatorAddress: setting("GENERATOR_ADDRESS", address.prefault("127.0.0.1:50051")),
  /** Folder with the scorers, named relative to it in requests. */
  modelDir: setting("MODEL_DIR", text.prefault("demo")),
  /** Folder with data sets, named relative to it in requests. */
  dataDir: setting("DATA_DIR", text.prefault("data")),
  /** Folder for what is found out about their rows. */
  dataIndexDir: setting("DATA_INDEX_DIR", text.prefault("runs/data-index")),
  /** Folder that evaluations are kept in. */
  evaluationsDir: setting("EVALUATIONS_DIR", text.prefault("runs/evaluations")),
  /** Threads inside one operator of a scorer; 0: as many as there are cores. */
  threads: setting("THREADS", wholeNumber(0, 1024).prefault("0")),
  /** Where scorers run: cpu, cuda:N or webgpu:N; checked when it starts. */
  device: setting("DEVICE", text.prefault("cpu")),
  logLevel: setting("LOG_LEVEL", z.enum(LOG_LEVELS).prefault("info")),
} as const;

export type EvaluatorConfig = Config<typeof EVALUATOR_SETTINGS>;
