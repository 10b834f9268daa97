import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { errorCode, toIoError } from "../core/checkpoint/io-errors.js";
import { SpinError } from "../core/errors.js";
import type { SessionOptions } from "../core/graph/session.js";
import { parseConfig } from "../core/json-config.js";
import { serveWorker } from "../core/runtime/worker-host.js";
import { loadClipScorer } from "./scorers/clip-scorer.js";
import type { CaptionedPicture, ScoredPictures, Scorer } from "./scorers/scorer.js";

/** Which scorer is in memory. */
export interface LoadedScorer {
  /** Digest of its files. */
  readonly digest: string;
  /** Share of held-out pairs that it orders rightly, where its `metrics.json` tells. */
  readonly pairAccuracy: number | undefined;
}

const digests = new FolderDigests();
const loaded = new Map<string, LoadedScorer & { readonly scorer: Scorer }>();

const methods = {
  /** Loads the scorer in a folder, or finds that it is loaded already and has not changed. */
  load: async ({ folder, threads, device }: { folder: string } & SessionOptions): Promise<LoadedScorer> => {
    const { digest } = await digests.manifest(folder);
    const present = loaded.get(folder);
    if (present?.digest === digest) return { digest, pairAccuracy: present.pairAccuracy };
    loaded.delete(folder);
    await present?.scorer.release();
    const pairAccuracy = await readPairAccuracy(folder);
    const scorer = await loadClipScorer(folder, { threads, device });
    loaded.set(folder, { digest, pairAccuracy, scorer });
    return { digest, pairAccuracy };
  },

  score: async (
    { folder, pictures }: { folder: string; pictures: readonly CaptionedPicture[] },
    signal: AbortSignal,
  ): Promise<ScoredPictures> => {
    const entry = loaded.get(folder);
    if (entry === undefined) throw new SpinError("internal", `the scorer ${folder} was not loaded`);
    return entry.scorer.score(pictures, signal);
  },
};

export type ScoreMethods = typeof methods;

const metricsSchema = z.looseObject({ test: z.looseObject({ pairAccuracy: z.number().min(0).max(1).optional() }) });

async function readPairAccuracy(folder: string): Promise<number | undefined> {
  const file = join(folder, "metrics.json");
  try {
    return parseConfig(metricsSchema, JSON.parse(await readFile(file, "utf8")), file).test.pairAccuracy;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (error instanceof SyntaxError) throw new SpinError("corrupt", `${file} is not JSON`, { file, cause: error });
    throw toIoError(error, file, "read");
  }
}

serveWorker(methods);
