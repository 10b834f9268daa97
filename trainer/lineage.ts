import * as z from "zod";
import { TRAINING_STATE_FOLDER } from "../core/checkpoint/manifest.js";
import { parseConfig, parseMessage } from "../core/json-config.js";
import { Checkpoint } from "../proto/gen/spin/v1/checkpoint.js";
import { DatasetRef } from "../proto/gen/spin/v1/common.js";
import { IterationSpec } from "../proto/gen/spin/v1/training.js";

/** Where a checkpoint tells where it came from, outside its digest. */
export const LINEAGE_FILE = `${TRAINING_STATE_FOLDER}/lineage.json`;

/** Everything that made a checkpoint. */
export interface Lineage {
  /** As it is listed; digest and size are the manifest's to say. */
  readonly checkpoint: Checkpoint;
  /** What the iteration did. */
  readonly spec: IterationSpec;
  readonly dataset: DatasetRef;
  /** Key of the run's noise. */
  readonly seed: bigint;
  /** Digest of the SamplingSpec that the draws belonged to. */
  readonly samplingSpecDigest: string;
  /** Digest of the generators' fingerprint. */
  readonly computeFingerprint: string;
  /** Changes of the trainer's configuration under which the iteration was made to go on, as `after step 12: threads: 1, now 2`. */
  readonly forced?: readonly string[];
}

/** As it is written to LINEAGE_FILE. */
export function lineageJson({ checkpoint, spec, dataset, seed, ...digests }: Lineage): string {
  const { digest: _, size: __, ...listed } = Checkpoint.toJSON(checkpoint) as Record<string, unknown>;
  const json = {
    checkpoint: listed,
    spec: IterationSpec.toJSON(spec),
    dataset: DatasetRef.toJSON(dataset),
    seed: seed.toString(),
    ...digests,
  };
  return `${JSON.stringify(json, undefined, 1)}\n`;
}

const listed = z.looseObject({ checkpoint: z.looseObject({ runId: z.string(), iterationId: z.string() }) });

/** The listed part of a lineage file. @throws SpinError "invalid" or "corrupt" naming the file where it is no lineage */
export function parseLineage(json: unknown, file: string): Checkpoint {
  return parseMessage(Checkpoint.fromJSON, parseConfig(listed, json, file).checkpoint, file);
}
