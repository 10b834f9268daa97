import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { errorCode, toIoError } from "../core/checkpoint/io-errors.js";
import { createManifest } from "../core/checkpoint/manifest.js";
import { SpinError } from "../core/errors.js";
import type { SessionOptions } from "../core/graph/session.js";
import { parseConfig } from "../core/json-config.js";
import { serveWorker } from "../core/runtime/worker-host.js";
import type { ScorerLocation } from "./scorers/locate-scorer.js";
import { type OpenedScorer, openScorer } from "./scorers/open-scorer.js";
import { ResidentScorers } from "./scorers/resident-scorers.js";
import type { CaptionedPicture, ScoredPictures } from "./scorers/scorer.js";

/** A scorer that is ready to be asked. */
export interface ReadyScorer {
  /** Digest of its files. */
  readonly digest: string;
  /** Share of held-out pairs that it orders rightly, where its `metrics.json` tells. */
  readonly pairAccuracy: number | undefined;
  /** Bytes of its weights. */
  readonly weightBytes: number;
}

const digests = new FolderDigests();
const resident = new ResidentScorers();

const methods = {
  /** Opens a scorer and computes its digest, or finds that neither has changed. It is loaded when it is first asked. */
  open: async ({ location, session }: { location: ScorerLocation; session: SessionOptions }): Promise<ReadyScorer> => {
    const opened = await openScorer(location);
    const digest = await digestOf(opened);
    await resident.put(location.name, digest, opened, session);
    return { digest, pairAccuracy: await readPairAccuracy(location.path), weightBytes: opened.weightBytes };
  },

  score: async (
    { name, pictures }: { name: string; pictures: readonly CaptionedPicture[] },
    signal: AbortSignal,
  ): Promise<ScoredPictures> => (await resident.get(name)).score(pictures, signal),
};

export type ScoreMethods = typeof methods;

async function digestOf({ sources }: OpenedScorer): Promise<string> {
  if ("folder" in sources) return (await digests.manifest(sources.folder)).digest;
  const files = await Promise.all(sources.files.map((file) => digests.file(dirname(file), basename(file))));
  return createManifest(files).digest;
}

const metricsSchema = z.looseObject({ test: z.looseObject({ pairAccuracy: z.number().min(0).max(1).optional() }) });

/** Of a folder that says so; files of published scorers do not. */
async function readPairAccuracy(path: string): Promise<number | undefined> {
  const file = join(path, "metrics.json");
  try {
    return parseConfig(metricsSchema, JSON.parse(await readFile(file, "utf8")), file).test.pairAccuracy;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return undefined;
    if (error instanceof SyntaxError) throw new SpinError("corrupt", `${file} is not JSON`, { file, cause: error });
    throw toIoError(error, file, "read");
  }
}

serveWorker(methods);
