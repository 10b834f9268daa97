import { z } from "zod";
import { address, type Config, port, setting, text, wholeNumber } from "../core/service/config.js";
import { DISK_SETTINGS } from "../core/service/disk-room.js";
import { CALLER_SETTINGS, DOOR_SETTINGS } from "../core/service/doors/settings.js";
import { LOG_LEVELS } from "../core/service/logging.js";

/** What a person sets of a generator: by environment variable, or by a flag of the command line. */
export const GENERATOR_SETTINGS = {
  /** Address to listen on. */
  host: setting("HOST", text.prefault("127.0.0.1")),
  /** 0: any free port. */
  port: setting("PORT", port.prefault("50051")),
  ...DOOR_SETTINGS,
  ...CALLER_SETTINGS,
  ...DISK_SETTINGS,
  /** Folder with model folders, named relative to it in requests. */
  modelDir: setting("MODEL_DIR", text.prefault("demo")),
  /** Folder with data sets, named relative to it in requests. */
  dataDir: setting("DATA_DIR", text.prefault("data")),
  /** Folder for what is found out about their rows. */
  dataIndexDir: setting("DATA_INDEX_DIR", text.prefault("runs/data-index")),
  /** Folder for checkpoints fetched from a trainer. */
  cacheDir: setting("CACHE_DIR", text.prefault("runs/generator-cache")),
  /** Most bytes that fetched checkpoints may take on disk, those shared with other folders in part. */
  cacheBytes: setting("CACHE_BYTES", wholeNumber(1, Number.MAX_SAFE_INTEGER).prefault("20000000000")),
  /** The trainer's checkpoint service, for digests that no folder here has. Unset: nothing is fetched. */
  checkpointAddress: setting("CHECKPOINT_ADDRESS", address.optional()),
  /** Threads inside one operator; 0: as many as there are cores. */
  threads: setting("THREADS", wholeNumber(0, 1024).prefault("0")),
  /** Where it computes: cpu, cuda:N or webgpu:N; checked when it starts. */
  device: setting("DEVICE", text.prefault("cpu")),
  /** Streams served at a time; one more is told to come back. */
  queueCapacity: setting("QUEUE_CAPACITY", wholeNumber(1, 10_000).prefault("16")),
  /** Most checkpoints in memory. */
  maxLoaded: setting("MAX_LOADED", wholeNumber(1, 100).prefault("2")),
  /** Most bytes of encoded captions and pictures to keep in memory. */
  encodedBytes: setting("ENCODED_BYTES", wholeNumber(0, Number.MAX_SAFE_INTEGER).prefault("1000000000")),
  /** Most bytes of them to keep on disk, below CACHE_DIR; 0: none. */
  encodedDiskBytes: setting("ENCODED_DISK_BYTES", wholeNumber(0, Number.MAX_SAFE_INTEGER).prefault("20000000000")),
  logLevel: setting("LOG_LEVEL", z.enum(LOG_LEVELS).prefault("info")),
} as const;

export type GeneratorConfig = Config<typeof GENERATOR_SETTINGS>;
