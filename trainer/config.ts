import { z } from "zod";
import { addresses, type Config, port, setting, switchedOn, text, wholeNumber } from "../core/service/config.js";
import { DISK_SETTINGS } from "../core/service/disk-room.js";
import { CALLER_SETTINGS, DOOR_SETTINGS } from "../core/service/doors/settings.js";
import { LOG_LEVELS } from "../core/service/logging.js";

/** What a person sets of a trainer: by environment variable, or by a flag of the command line. */
export const TRAINER_SETTINGS = {
  /** Address to listen on. */
  host: setting("HOST", text.prefault("127.0.0.1")),
  /** 0: any free port. */
  port: setting("PORT", port.prefault("50052")),
  ...DOOR_SETTINGS,
  ...CALLER_SETTINGS,
  ...DISK_SETTINGS,
  /** Generators, as host:port between commas. A name may stand for many addresses: each is a replica, and joiners are found. */
  generatorAddresses: setting("GENERATOR_ADDRESS", addresses.prefault("127.0.0.1:50051")),
  /** Folder with the base models, named relative to it in requests. */
  modelDir: setting("MODEL_DIR", text.prefault("demo")),
  /** Folder with data sets, named relative to it in requests. */
  dataDir: setting("DATA_DIR", text.prefault("data")),
  /** Folder for what is found out about their rows. */
  dataIndexDir: setting("DATA_INDEX_DIR", text.prefault("runs/data-index")),
  /** Folder that runs and checkpoints are kept in. One trainer per folder. */
  runsDir: setting("RUNS_DIR", text.prefault("runs/trainer")),
  /** Element type of checkpoints' UNets: as the base has it, or float32, which loses nothing of small updates. */
  checkpointDtype: setting("CHECKPOINT_DTYPE", z.enum(["source", "float32"]).prefault("source")),
  /** Threads inside one operator; 0: as many as there are cores. */
  threads: setting("THREADS", wholeNumber(0, 1024).prefault("0")),
  /** MiB for trained weights, their gradients and moments, and the graph's values, by estimate; 0: no limit. Less is slower, with the same results. */
  memoryBudgetMb: setting("MEMORY_BUDGET_MB", wholeNumber(0, 10_000_000).prefault("0")),
  /** Where the training graph runs: cpu, cuda:N or webgpu:N; checked when it starts. */
  device: setting("DEVICE", text.prefault("cpu")),
  /** Sampling batches to have ahead of training, asked for or in memory. */
  prefetchBatches: setting("PREFETCH_BATCHES", wholeNumber(1, 10_000).prefault("16")),
  /** Seconds without any generator of use after which an iteration fails. */
  generatorPatience: setting("GENERATOR_PATIENCE", wholeNumber(1, 86_400).prefault("120")),
  /** Seconds that a generator may take for one sampling batch, waiting included. */
  batchTimeout: setting("BATCH_TIMEOUT", wholeNumber(1, 86_400).prefault("1800")),
  /** Optimiser steps between two states that a killed iteration goes on from: weights and moments, three times the size of the weights. */
  trainingStateInterval: setting("TRAINING_STATE_INTERVAL", wholeNumber(1, 1_000_000).prefault("10")),
  /** Goes on with an iteration that another configuration began; its lineage tells so. */
  force: setting("FORCE", switchedOn.prefault("false")),
  logLevel: setting("LOG_LEVEL", z.enum(LOG_LEVELS).prefault("info")),
} as const;

export type TrainerConfig = Config<typeof TRAINER_SETTINGS>;
